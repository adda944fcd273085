"""Models from a hub, over real sockets: which files are meant, and what a hub may answer."""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.models.files import split_gguf
from tests.models.hub_client import Fetched, fetch, library_finds, resolve_path, running_client
from tests.models.hub_server import TOKEN, Hub, Repository
from tgicli.errors import ModelNotFound, Overloaded, TgicliError, Unreachable


def test_a_model_comes_into_the_shared_cache(
    client: ProcessPoolExecutor, home: Path, name: str, repository: Repository
) -> None:
    fetched = client.submit(fetch, name).result()

    folder = home / "hub" / f"models--{name.replace('/', '--')}"
    assert fetched.path == folder / "snapshots" / repository.commit / "gem-Q4_K_M.gguf"
    assert fetched.path.read_bytes() == repository.model
    assert (folder / "refs/main").read_text() == repository.commit
    found = client.submit(library_finds, name, "gem-Q4_K_M.gguf").result()
    assert found == str(fetched.path)
    assert [path.name for path in (folder / "blobs").iterdir()] == [
        hashlib.sha256(repository.model).hexdigest()
    ]


def test_a_small_file_in_git_comes_from_the_hub_itself(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    repository.in_git = True

    fetched = client.submit(fetch, name).result()

    assert fetched.path.read_bytes() == repository.model


def test_a_cached_model_is_resolved_without_a_request(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    path = client.submit(resolve_path, name).result()
    hub.seen.clear()

    again = client.submit(resolve_path, name).result()

    assert again == path
    assert hub.seen == []


def test_fetching_a_cached_model_asks_for_news_and_downloads_nothing(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    path = client.submit(fetch, name).result().path
    hub.seen.clear()

    again = client.submit(fetch, name).result()

    n_bytes = len(repository.model)
    assert again == Fetched(path, [(n_bytes, n_bytes)])
    assert hub.seen != []
    assert hub.downloads() == []


def test_fetching_brings_a_new_version_and_names_mean_it(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    old = client.submit(fetch, name).result().path
    repository.files["gem-Q4_K_M.gguf"] += b"new"

    new = client.submit(fetch, name).result().path

    assert new != old
    assert new.read_bytes().endswith(b"new")
    assert client.submit(resolve_path, name).result() == new


def test_a_version_that_only_an_older_commit_has_is_still_found(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    path = client.submit(fetch, name).result().path
    repository.files["gem-Q8_0.gguf"] = repository.model + b"q8"
    client.submit(fetch, f"{name}:Q8_0").result()
    hub.seen.clear()

    assert client.submit(resolve_path, f"{name}:Q4_K_M").result() == path
    assert hub.seen == []


def test_all_parts_of_a_split_model_come(
    client: ProcessPoolExecutor, hub: Hub, name: str, tmp_path: Path
) -> None:
    parts = {path.name: path.read_bytes() for path in split_gguf(tmp_path, "big-Q8_0", 3)}
    hub.repositories[name] = Repository(parts)

    fetched = client.submit(fetch, f"{name}:Q8_0").result()

    assert fetched.path.name == "big-Q8_0-00001-of-00003.gguf"
    assert {path.name: path.read_bytes() for path in fetched.path.parent.iterdir()} == parts
    assert {total for _, total in fetched.progress} == {sum(map(len, parts.values()))}
    assert client.submit(resolve_path, name).result() == fetched.path


def test_a_quantisation_is_chosen_by_name(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    repository.files["gem-Q8_0.gguf"] = repository.model + b"q8"

    fetched = client.submit(fetch, f"{name}:q8_0").result()

    assert fetched.path.name == "gem-Q8_0.gguf"


def test_a_quantisation_that_is_not_there_is_refused_with_what_is(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    with pytest.raises(ModelNotFound, match=rf"no models named Q2_K.*\n  {name}:gem-Q4_K_M\.gguf"):
        client.submit(fetch, f"{name}:Q2_K").result()


def test_the_token_goes_to_the_hub_and_not_to_its_storage(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    repository.is_private = repository.is_gated = True

    client.submit(fetch, name, {"HF_TOKEN": TOKEN}).result()

    at_storage = hub.downloads()
    at_hub = [seen for seen in hub.seen if seen not in at_storage]
    assert {seen.headers.get("authorization") for seen in at_hub} == {f"Bearer {TOKEN}"}
    assert [seen.headers.get("authorization") for seen in at_storage] == [None]


def test_a_gated_repository_says_where_to_ask(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    repository.is_gated = True

    with pytest.raises(
        ModelNotFound, match=f"{name} is gated; ask for access at {hub.url}/{name}, then set HF_TO"
    ):
        client.submit(fetch, name).result()


@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_repository_that_is_not_there_may_be_private(
    client: ProcessPoolExecutor, hub: Hub, name: str, token: str
) -> None:
    with pytest.raises(ModelNotFound, match=f"{hub.url} has no repository {name}, or it is priv"):
        client.submit(fetch, name, {"HF_TOKEN": token}).result()


def test_a_name_that_no_hub_accepts_is_refused(client: ProcessPoolExecutor) -> None:
    with pytest.raises(ModelNotFound, match="org/a--b can't be a repository's name"):
        client.submit(fetch, "org/a--b").result()


def test_a_file_that_is_listed_and_not_there_is_refused(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    repository.unlisted.add("gem-Q4_K_M.gguf")

    with pytest.raises(ModelNotFound, match="lists a file that it doesn't have"):
        client.submit(fetch, name).result()


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, ModelNotFound, r"doesn't let us read .* \(status 401\); set HF_TOKEN"),
        (403, ModelNotFound, r"doesn't let us read .* \(status 403\); set HF_TOKEN"),
        (404, ModelNotFound, r"doesn't have .* \(status 404\); check the name and HF_ENDPOINT"),
        (410, ModelNotFound, r"doesn't have .* \(status 410\)"),
        (429, Overloaded, "too many requests from here; wait 60 s, or set HF_TOKEN"),
        (503, Unreachable, "answers 503 when asked for .*; try again later"),
    ],
)
def test_a_hub_that_refuses_is_quoted(
    client: ProcessPoolExecutor,
    name: str,
    repository: Repository,
    status: int,
    error: type[Exception],
    message: str,
) -> None:
    repository.status, repository.headers = status, {"Retry-After": "60"}

    with pytest.raises(error, match=message):
        client.submit(fetch, name).result()


NO_LISTINGS = [
    b"<html>Log in to the hotel's Wi-Fi</html>",
    b"{}",
    b"[1]",
    b"null",
    b'{"id": "o/m", "siblings": [{"rfilename": 5}]}',
    b'{"id": "o/m", "siblings": [], "createdAt": "yesterday"}',
    b'{"id": "o/m", "siblings": [], "lastModified": 5}',
]


@pytest.mark.parametrize("listing", NO_LISTINGS)
def test_what_is_no_hub_is_called_so(
    client: ProcessPoolExecutor, name: str, repository: Repository, listing: bytes
) -> None:
    repository.listing = listing

    with pytest.raises(Unreachable, match="doesn't answer as a hub does; check HF_ENDPOINT"):
        client.submit(fetch, name).result()


@pytest.mark.parametrize("folder", ["../../", "/", "a/../../", "C:", "a/C:", "\\\\host\\", "\0"])
def test_a_file_outside_of_the_repository_is_no_model(
    client: ProcessPoolExecutor, name: str, repository: Repository, folder: str
) -> None:
    repository.files = {f"{folder}gem-Q4_K_M.gguf": repository.model}

    with pytest.raises(ModelNotFound, match="has no GGUF model"):
        client.submit(fetch, name).result()


def test_a_password_in_the_hub_s_address_is_not_shown(
    hub: Hub, home: Path, name: str, repository: Repository
) -> None:
    endpoint = hub.url.replace("//", "//user:pa55w@rd@")
    environ = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    troubles: list[dict[str, object]] = [
        {"listing": b"<html>"},
        {"listing": None, "status": 403},
        {"status": 503},
        {"status": None, "is_gated": True},
        {"is_gated": False, "unlisted": {"gem-Q4_K_M.gguf"}},
        {"is_private": True},
    ]

    with running_client(environ) as client:
        for trouble in troubles:
            for field, value in trouble.items():
                setattr(repository, field, value)
            with pytest.raises(TgicliError) as caught:
                client.submit(fetch, name).result()
            assert "pa55" not in str(caught.value)
            assert "rd@" not in str(caught.value)


def test_offline_a_cached_model_is_taken_as_it_is(
    client: ProcessPoolExecutor, hub: Hub, home: Path, name: str, repository: Repository
) -> None:
    path = client.submit(fetch, name).result().path
    hub.seen.clear()

    environ = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    with running_client(environ) as offline:
        assert offline.submit(fetch, name).result().path == path
        with pytest.raises(ModelNotFound, match="other is not on disk and HF_HUB_OFFLINE forbids"):
            offline.submit(fetch, f"{name}-other").result()

    assert hub.seen == []
