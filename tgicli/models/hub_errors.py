"""Say in our words what went wrong between us and a hub.

Used by `hub` and `download`, on their thread. Never asks anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tgicli.errors import ModelLoadError, ModelNotFound, Overloaded, TgicliError, Unreachable
from tgicli.models.cache import cache_dir
from tgicli.models.names import HubName

OTHER_DISK = "free some space, or set HF_HOME to a directory on another disk"


@contextmanager
def explained(name: HubName) -> Iterator[None]:
    """Turn the library's complaints into ours."""
    from huggingface_hub import constants, errors

    hub, repository = constants.ENDPOINT, name.repository
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
        raise Unreachable(f"{hub} went away: {error.__cause__ or error}; try again") from error
    except errors.EntryNotFoundError as error:
        raise ModelNotFound(f"{repository} lists a file that it doesn't have: {error}") from error
    except errors.HFValidationError as error:
        raise ModelNotFound(f"{repository} can't be a repository's name: {error}") from error
    except errors.HfHubHTTPError as error:
        raise _explain_status(error.response.status_code, hub, repository) from error
    except errors.HTTPError as error:  # type: ignore[attr-defined]  # httpx's or its heir's
        raise Unreachable(
            f"can't reach {hub}: {error}; check the network and HF_ENDPOINT, or use a model that "
            "is on disk (`tgicli models list`)"
        ) from error
    except OSError as error:
        raise ModelLoadError(
            f"can't store {name} in {cache_dir()}: {error.strerror or error}; {OTHER_DISK}"
        ) from error


def _explain_status(status: int, hub: str, repository: str) -> TgicliError:
    if status in (401, 403):
        return ModelNotFound(
            f"{hub} doesn't let us read {repository} (status {status}); "
            "set HF_TOKEN to a token that may"
        )
    if status == 429:
        return Overloaded(
            f"{hub} had too many requests from here; wait, or set HF_TOKEN to be allowed more"
        )
    return Unreachable(f"{hub} answers {status} when asked for {repository}; try again later")


def not_a_hub(url: str) -> Unreachable:
    return Unreachable(f"{url} doesn't answer as a hub does; check HF_ENDPOINT and your proxy")
