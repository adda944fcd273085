"""Read the JSON of requests and files; a complaint names the field that is wrong. Pure.

What a remote server answers is read in `answers`, and TGI's requests in its own words.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from tgicli.errors import MalformedBody, RequestError

_Read = TypeVar("_Read")


def read(decoder: msgspec.json.Decoder[_Read], data: bytes, *, what: str) -> _Read:
    """Decode JSON; `what` is its name in complaints.

    Raises:
        MalformedBody: it is no JSON.
        RequestError: it has another shape; names the first bad field.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise RequestError(_name_field_first(str(error), what)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"{what} is not JSON: {error}") from error
    except RecursionError as error:
        raise RequestError(f"{what} is nested too deeply") from error


def _name_field_first(complaint: str, what: str) -> str:
    words, _, field = complaint.partition(" - at ")
    field = field.replace("`", "").replace("$.", "")
    return f"{field}: {words}" if field else f"{what}: {words}"
