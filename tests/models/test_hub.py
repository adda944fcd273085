"""Downloads from a hub, over real sockets: what comes, what breaks, and what the next run does."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.models.files import split_gguf, write_gguf
from tests.models.hub_client import (
    Fetched,
    fetch,
    fetch_with_a_full_disk,
    library_finds,
    resolve_path,
    running_client,
)
from tests.models.hub_server import TOKEN, Hub, Repository, running_hub
from tgicli.errors import ModelLoadError, ModelNotFound, Overloaded, Unreachable

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def client(server: Hub, home: Path) -> Iterator[ProcessPoolExecutor]:
    environ = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",  # it asks the hub for more than models
        "HF_TOKEN": "",
    }
    with running_client(environ) as client:
        yield client


@pytest.fixture
def hub(server: Hub) -> Iterator[Hub]:
    """The server, as if it had just started."""
    yield server
    server.repositories.clear()
    server.seen.clear()
    server.cuts.clear()
    server.sizes.clear()
    server.storage_status, server.ignores_ranges, server.garbles = None, False, False


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model of some 200 kB."""
    path = write_gguf(tmp_path_factory.mktemp("content") / "m.gguf", n_weights=196608)
    return path.read_bytes()


@pytest.fixture
def name() -> str:
    """A repository that no other test has cached."""
    return f"org/gem-{next(_numbers)}-GGUF"


@pytest.fixture
def repository(hub: Hub, name: str, content: bytes) -> Repository:
    """One with one model, and its README."""
    # A hash of its own: the bytes behind the weights don't matter.
    content += name.encode()
    hub.repositories[name] = Repository({"README.md": b"#", "gem-Q4_K_M.gguf": content})
    return hub.repositories[name]


def model_in(repository: Repository) -> bytes:
    return repository.files["gem-Q4_K_M.gguf"]


def test_a_model_comes_into_the_shared_cache(
    client: ProcessPoolExecutor, home: Path, name: str, repository: Repository
) -> None:
    fetched = client.submit(fetch, name).result()

    folder = home / "hub" / f"models--{name.replace('/', '--')}"
    assert fetched.path == folder / "snapshots" / repository.commit / "gem-Q4_K_M.gguf"
    assert fetched.path.read_bytes() == model_in(repository)
    assert (folder / "refs/main").read_text() == repository.commit
    found = client.submit(library_finds, name, "gem-Q4_K_M.gguf").result()
    assert found == str(fetched.path)
    assert [path.name for path in (folder / "blobs").iterdir()] == [
        hashlib.sha256(model_in(repository)).hexdigest()
    ]


def test_a_small_file_in_git_comes_from_the_hub_itself(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    repository.in_git = True

    fetched = client.submit(fetch, name).result()

    assert fetched.path.read_bytes() == model_in(repository)


def test_progress_goes_from_nothing_to_all(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    fetched = client.submit(fetch, name).result()

    done, totals = zip(*fetched.progress, strict=True)
    n_bytes = len(model_in(repository))
    assert (done[0], done[-1]) == (0, n_bytes)
    assert list(done) == sorted(done)
    assert set(totals) == {n_bytes}


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

    n_bytes = len(model_in(repository))
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
    repository.files["gem-Q8_0.gguf"] = model_in(repository) + b"q8"
    client.submit(fetch, f"{name}:Q8_0").result()
    hub.seen.clear()

    assert client.submit(resolve_path, f"{name}:Q4_K_M").result() == path
    assert hub.seen == []


def test_a_connection_that_breaks_is_continued_where_it_broke(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:] = [50_000, 20_000]

    fetched = client.submit(fetch, name, n_retries=1).result()

    assert [seen.range for seen in hub.downloads()] == [None, "bytes=50000-", "bytes=70000-"]
    assert fetched.path.read_bytes() == model_in(repository)
    assert fetched.progress[-1][0] == len(model_in(repository))


def test_the_next_run_continues_what_broke_off(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:] = [50_000]
    with pytest.raises(Unreachable, match=rf"after 50000 of {len(model_in(repository))} bytes"):
        client.submit(fetch, name).result()
    hub.seen.clear()

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == ["bytes=50000-"]
    assert fetched.progress[0] == (50_000, len(model_in(repository)))
    assert fetched.path.read_bytes() == model_in(repository)


def test_a_storage_that_ignores_ranges_starts_anew(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:], hub.ignores_ranges = [50_000], True

    fetched = client.submit(fetch, name, n_retries=1).result()

    assert fetched.path.read_bytes() == model_in(repository)
    assert fetched.progress[-1][0] == len(model_in(repository))


def test_a_new_start_that_breaks_off_at_once_is_continued(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:], hub.ignores_ranges = [50_000, 300, 20_000], True

    fetched = client.submit(fetch, name, n_retries=2).result()

    ranges = [seen.range for seen in hub.downloads()]
    assert ranges == [None, "bytes=50000-", "bytes=300-", "bytes=20000-"]
    assert fetched.path.read_bytes() == model_in(repository)


def test_what_comes_damaged_is_not_kept(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.garbles = True
    with pytest.raises(ModelLoadError, match=r"gem-Q4_K_M\.gguf came damaged: its SHA-256 is"):
        client.submit(fetch, name).result()
    hub.garbles = False

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == [None, None]
    assert fetched.path.read_bytes() == model_in(repository)


def test_fetching_mends_a_cached_model_that_lost_its_end(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    path = client.submit(fetch, name).result().path
    with path.open("r+b") as file:
        file.truncate(1000)

    mended = client.submit(fetch, name).result().path

    assert mended == path
    assert path.read_bytes() == model_in(repository)


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
    repository.files["gem-Q8_0.gguf"] = model_in(repository) + b"q8"

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
        (429, Overloaded, "too many requests"),
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
    repository.status = status

    with pytest.raises(error, match=message):
        client.submit(fetch, name).result()


@pytest.mark.parametrize("listing", [b"<html>Log in to the hotel's Wi-Fi</html>", b"{}", b"[1]"])
def test_what_is_no_hub_is_called_so(
    client: ProcessPoolExecutor, name: str, repository: Repository, listing: bytes
) -> None:
    repository.listing = listing

    with pytest.raises(Unreachable, match="doesn't answer as a hub does; check HF_ENDPOINT"):
        client.submit(fetch, name).result()


def test_a_file_outside_of_the_repository_is_no_model(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    repository.files = {"../../gem-Q4_K_M.gguf": model_in(repository)}

    with pytest.raises(ModelNotFound, match="has no GGUF model"):
        client.submit(fetch, name).result()


def test_a_storage_that_answers_with_nothing_is_not_asked_for_ever(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.storage_status = 200

    with pytest.raises(Unreachable, match=r"gem-Q4_K_M\.gguf doesn't answer as a hub does"):
        client.submit(fetch, name).result()


def test_a_storage_that_refuses_is_not_asked_again(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.storage_status = 403

    with pytest.raises(ModelNotFound, match=r"\(status 403\)"):
        client.submit(fetch, name, n_retries=3).result()

    assert len(hub.downloads()) == 1


def test_a_storage_that_is_down_is_asked_again_and_given_up(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.storage_status = 503

    with pytest.raises(Unreachable, match="broke off after 0 of"):
        client.submit(fetch, name, n_retries=2).result()

    assert len(hub.downloads()) == 3


def test_a_model_larger_than_the_disk_is_refused_before_it_comes(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.sizes[hashlib.sha256(model_in(repository)).hexdigest()] = 2**60

    with pytest.raises(ModelLoadError, match=rf"needs {2**60} bytes more and .* has \d+; free"):
        client.submit(fetch, name).result()

    assert hub.downloads() == []


def test_all_parts_of_a_model_must_fit_on_the_disk_before_one_comes(
    client: ProcessPoolExecutor, hub: Hub, name: str, tmp_path: Path
) -> None:
    parts = [path.read_bytes() for path in split_gguf(tmp_path, "big-Q8_0", 3)]
    files = {f"big-Q8_0-{i:05}-of-00003.gguf": data for i, data in enumerate(parts, 1)}
    hub.repositories[name] = Repository(files)
    hub.sizes[hashlib.sha256(parts[2]).hexdigest()] = 2**60
    n_bytes = len(parts[0]) + len(parts[1]) + 2**60

    with pytest.raises(ModelLoadError, match=f"big-Q8_0 needs {n_bytes} bytes more and "):
        client.submit(fetch, name).result()

    assert hub.downloads() == []


def test_a_disk_that_fills_up_keeps_what_came(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    with pytest.raises(ModelLoadError, match=f"can't store {name} in .*; free some space, or set"):
        client.submit(fetch_with_a_full_disk, name, 100_000).result()
    hub.seen.clear()

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == ["bytes=100000-"]
    assert fetched.path.read_bytes() == model_in(repository)
