"""Read the JSON of requests and files; a complaint names the field that is wrong. Pure.

What a remote server answers is read in `answers`, and TGI's requests in its own words.
"""

from __future__ import annotations

import contextlib
import json
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
        raise MalformedBody(f"{what} is not JSON: {_trouble(data, error)}") from error
    except RecursionError as error:
        raise RequestError(f"{what} is nested too deeply") from error


def _trouble(data: bytes, error: Exception) -> str:
    """Say what is no JSON. Python writes half characters, which others take for data cut off."""
    if b"\\ud" in data.lower():
        with contextlib.suppress(ValueError, RecursionError):
            json.loads(data)
            return "a string has half of a character, such as \\ud83d"
    return str(error).removeprefix("JSON is malformed: ")


def _name_field_first(complaint: str, what: str) -> str:
    words, _, field = complaint.partition(" - at ")
    field = field.replace("`", "").replace("$.", "")
    return f"{field}: {words}" if field else f"{what}: {words}"
