"""Say in our words what went wrong between us and a hub.

Used by `hub` and `download`, on their thread. Never asks anybody, and never shows what a URL may
hold: a password, or the signature of a link to a storage.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tgicli.errors import ModelLoadError, ModelNotFound, Overloaded, TgicliError, Unreachable
from tgicli.models.cache import cache_dir
from tgicli.models.names import HubName

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

OTHER_DISK = "free some space, or set HF_HOME to a directory on another disk"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RATE_LIMIT = re.compile(r"\br=0;\s*t=(\d+)")  # a hub's own header: nothing remains for t seconds


@contextmanager
def explained(name: HubName) -> Iterator[None]:
    """Turn the library's complaints into ours."""
    from huggingface_hub import constants, errors

    hub, repository = shown(constants.ENDPOINT), name.repository
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelNotFound(
            f"{repository} is gated; ask for access at {hub}/{repository}, then set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"{hub} has no repository {repository}, or it is private; "
            "check the name, or set HF_TOKEN to a token that may read it"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        cause = reason(error.__cause__ or error)
        raise Unreachable(f"{hub} went away: {cause}; try again") from error
    except errors.RemoteEntryNotFoundError as error:
        path = error.response.url.path
        raise ModelNotFound(f"{repository} lists a file that it doesn't have: {path}") from error
    except errors.HFValidationError as error:
        raise ModelNotFound(f"{repository} can't be a repository's name: {error}") from error
    except errors.HfHubHTTPError as error:
        raise _explain_status(error, hub, repository) from error
    except errors.HTTPError as error:  # type: ignore[attr-defined]  # httpx's or its heir's
        raise Unreachable(
            f"can't reach {hub}: {reason(error)}; check the network, HF_ENDPOINT and your proxy, "
            "or use a model that is on disk (`tgicli models list`)"
        ) from error
    except errors.FileMetadataError as error:
        raise not_a_hub(hub) from error
    except OSError as error:
        advice = OTHER_DISK if error.errno in _FULL else "set HF_HOME to a directory of yours"
        raise ModelLoadError(
            f"can't store {name} in {cache_dir()}: {error.strerror or error}; {advice}"
        ) from error


def _explain_status(error: HfHubHTTPError, hub: str, repository: str) -> TgicliError:
    response, status = error.response, error.response.status_code
    host, *asked_before = (r.url.netloc.decode() for r in (response, *response.history))
    if any(other != host for other in asked_before):
        # The hub sent us there, with a link of that try and without our token.
        return Unreachable(
            f"{host}, where {hub} keeps the files of {repository}, answers {status}; try again "
            "later, or ask who runs your proxy whether it blocks that host"
        )
    if status in (401, 403):
        return ModelNotFound(
            f"{hub} doesn't let us read {repository} (status {status}); "
            "set HF_TOKEN to a token that may"
        )
    if status in (404, 410, 451):  # of a mirror: the hub itself says more
        return ModelNotFound(
            f"{hub} doesn't have {repository} (status {status}); check the name and HF_ENDPOINT"
        )
    if status == 429:
        wait_s = asked_wait_s(error)
        return Overloaded(
            f"{hub} had too many requests from here; wait{f' {wait_s:g} s' if wait_s else ''}, or "
            "set HF_TOKEN to be allowed more",
            retry_after_s=wait_s or None,
        )
    return Unreachable(f"{hub} answers {status} when asked for {repository}; try again later")


def not_a_hub(url: str) -> Unreachable:
    """Return the error for an answer that no hub would give."""
    return Unreachable(
        f"{shown(url)} doesn't answer as a hub does; check HF_ENDPOINT and your proxy"
    )


def shown(url: str) -> str:
    """Return an address as it may be shown, whether it is a good one or not."""
    return re.sub(r"//.*@", "//", url)


def reason(error: BaseException) -> str:
    """Say in a few words which status came, or what broke."""
    if not (status := status_of(error)):
        return str(error) or type(error).__name__
    wait_s = asked_wait_s(error)
    return f"status {status}{f', wait {wait_s:g} s' if wait_s else ''}"


def status_of(error: BaseException) -> int:
    """Return the status of the answer that an error is about; 0: there was none."""
    status: int = getattr(getattr(error, "response", None), "status_code", 0)
    return status


def asked_wait_s(error: BaseException) -> float:
    """Return how long a hub or its storage asks to be left alone; 0: it doesn't."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    limit = _RATE_LIMIT.search(headers.get("RateLimit", ""))
    said: str = limit[1] if limit else headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else 0.0
