"""Bytes from a hub, over real sockets: what comes, what breaks, and what the next run does."""

from __future__ import annotations

import gzip
import hashlib
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.models.files import split_gguf
from tests.models.hub_client import fetch, fetch_with_a_full_disk
from tests.models.hub_server import SECRET, Answer, Hub, Repository
from tgicli.errors import ModelLoadError, Overloaded, TgicliError, Unreachable


def test_progress_goes_from_nothing_to_all(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    fetched = client.submit(fetch, name).result()

    done, totals = zip(*fetched.progress, strict=True)
    n_bytes = len(repository.model)
    assert (done[0], done[-1]) == (0, n_bytes)
    assert list(done) == sorted(done)
    assert set(totals) == {n_bytes}


def test_a_connection_that_breaks_is_continued_where_it_broke(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:] = [50_000, 20_000]

    fetched = client.submit(fetch, name, n_retries=1).result()

    assert [seen.range for seen in hub.downloads()] == [None, "bytes=50000-", "bytes=70000-"]
    assert fetched.path.read_bytes() == repository.model
    assert fetched.progress[-1][0] == len(repository.model)


def test_the_next_run_continues_what_broke_off(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:] = [50_000]
    with pytest.raises(Unreachable, match=rf"after 50000 of {len(repository.model)} bytes"):
        client.submit(fetch, name).result()
    hub.seen.clear()

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == ["bytes=50000-"]
    assert fetched.progress[0] == (50_000, len(repository.model))
    assert fetched.path.read_bytes() == repository.model


def test_a_storage_that_ignores_ranges_is_read_again_up_to_where_it_broke(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:], hub.ignores_ranges = [50_000, 300, 70_000], True

    fetched = client.submit(fetch, name, n_retries=2).result()

    ranges = [seen.range for seen in hub.downloads()]
    assert ranges == [None, "bytes=50000-", "bytes=50000-", "bytes=70000-"]
    assert fetched.path.read_bytes() == repository.model
    done = [n_done for n_done, _ in fetched.progress]
    assert done == sorted(done)
    assert done[-1] == len(repository.model)


PAGE = b"<html>Log in to the hotel's Wi-Fi</html>"
PAGES = [
    Answer(200, {"Content-Type": "text/html"}, PAGE),
    Answer(200, {"Transfer-Encoding": "chunked"}, b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)),
    Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(PAGE)),
    Answer(206, {"Content-Range": "bytes 60000-60039/*"}, PAGE),
    Answer(206, {"Content-Range": "bytes 0-39/40"}, PAGE),
    Answer(206, {}, PAGE),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_instead_of_the_rest_costs_nothing_that_came(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository, page: Answer
) -> None:
    hub.cuts[:] = [50_000]
    with pytest.raises(Unreachable, match="after 50000 of"):
        client.submit(fetch, name).result()
    hub.answers[:] = [page, page]
    with pytest.raises(Unreachable, match="doesn't answer as a hub does; check HF_ENDPOINT and"):
        client.submit(fetch, name).result()
    hub.answers.clear()
    hub.seen.clear()

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == ["bytes=50000-"]
    assert fetched.path.read_bytes() == repository.model


@pytest.mark.parametrize("page", PAGES)
def test_a_page_instead_of_a_model_is_not_kept(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository, page: Answer
) -> None:
    hub.answers[:] = [page, page]
    with pytest.raises(Unreachable, match="doesn't answer as a hub does"):
        client.submit(fetch, name).result()
    hub.answers.clear()
    hub.seen.clear()

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == [None]
    assert fetched.path.read_bytes() == repository.model


def test_more_than_the_model_is_not_written(
    client: ProcessPoolExecutor, hub: Hub, home: Path, name: str, repository: Repository
) -> None:
    n_bytes = 100 * len(repository.model)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (n_bytes, bytes(n_bytes))
    hub.answers[:] = [Answer(200, {"Transfer-Encoding": "chunked"}, chunk)]

    with pytest.raises(Unreachable, match="doesn't answer as a hub does"):
        client.submit(fetch_with_a_full_disk, name, len(repository.model)).result()

    blobs = home / "hub" / f"models--{name.replace('/', '--')}" / "blobs"
    assert [path.stat().st_size for path in blobs.iterdir()] == [0]


@pytest.mark.parametrize("status", [206, 416])
def test_a_storage_that_can_not_begin_in_the_middle_is_asked_for_all(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository, status: int
) -> None:
    hub.cuts[:] = [50_000]
    with pytest.raises(Unreachable, match="after 50000 of"):
        client.submit(fetch, name).result()
    hub.answers[:] = [Answer(status, {"Content-Range": "bytes 70000-70009/*"}, bytes(10))]

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == [None, "bytes=50000-", None]
    assert fetched.path.read_bytes() == repository.model


def test_an_answer_as_long_as_the_rest_is_the_rest(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:] = [50_000]
    with pytest.raises(Unreachable, match="after 50000 of"):
        client.submit(fetch, name).result()
    hub.answers[:] = [Answer(206, {}, repository.model[50_000:])]

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == [None, "bytes=50000-"]
    assert fetched.path.read_bytes() == repository.model


def test_an_answer_from_before_the_break_is_read_up_to_it(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.cuts[:] = [50_000]
    with pytest.raises(Unreachable, match="after 50000 of"):
        client.submit(fetch, name).result()
    span = f"bytes 40000-59999/{len(repository.model)}"
    hub.answers[:] = [Answer(206, {"Content-Range": span}, repository.model[40_000:60_000])]

    fetched = client.submit(fetch, name).result()

    ranges = [seen.range for seen in hub.downloads()]
    assert ranges == [None, "bytes=50000-", "bytes=60000-"]
    assert fetched.path.read_bytes() == repository.model


def test_what_comes_damaged_is_not_kept(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.garbles = True
    with pytest.raises(ModelLoadError, match=r"gem-Q4_K_M\.gguf came damaged: its SHA-256 is"):
        client.submit(fetch, name).result()
    hub.garbles = False

    fetched = client.submit(fetch, name).result()

    assert [seen.range for seen in hub.downloads()] == [None, None]
    assert fetched.path.read_bytes() == repository.model


def test_fetching_mends_a_cached_model_that_lost_its_end(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    path = client.submit(fetch, name).result().path
    with path.open("r+b") as file:
        file.truncate(1000)

    mended = client.submit(fetch, name).result().path

    assert mended == path
    assert path.read_bytes() == repository.model


def test_a_storage_that_answers_with_nothing_is_not_asked_for_ever(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.storage_status = 200

    with pytest.raises(Unreachable, match=r"gem-Q4_K_M\.gguf doesn't answer as a hub does"):
        client.submit(fetch, name).result()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_storage_that_refuses_is_named_and_not_asked_again(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository, status: int
) -> None:
    hub.storage_status = status
    storage = hub.storage_url.removeprefix("http://")

    with pytest.raises(
        Unreachable,
        match=f"^{storage}, where {hub.url} keeps the files of {name}, answers {status};",
    ):
        client.submit(fetch, name, n_retries=3).result()

    assert len(hub.downloads()) == 1


def test_a_storage_that_is_down_is_asked_again_and_given_up(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.storage_status = 503

    with pytest.raises(Unreachable) as caught:
        client.submit(fetch, name, n_retries=2).result()

    assert str(caught.value) == (
        f"the download of gem-Q4_K_M.gguf broke off after 0 of {len(repository.model)} bytes "
        "(status 503); try again later"
    )
    assert len(hub.downloads()) == 3


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"RateLimit": '"api";r=0;t=1'}])
def test_a_busy_storage_is_left_alone_as_long_as_it_asks(
    client: ProcessPoolExecutor,
    hub: Hub,
    name: str,
    repository: Repository,
    headers: dict[str, str],
) -> None:
    hub.answers[:] = [Answer(429, headers, b"")]
    begun = time.monotonic()

    fetched = client.submit(fetch, name, n_retries=1).result()

    assert time.monotonic() - begun >= 1
    assert fetched.path.read_bytes() == repository.model


def test_a_storage_that_asks_for_an_hour_is_busy_at_once(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.answers[:] = [Answer(429, {"Retry-After": "3600"}, b"<Error>Slow down</Error>")]

    with pytest.raises(Overloaded, match=r"\(status 429, wait 3600 s\); try again later") as caught:
        client.submit(fetch, name, n_retries=3).result()

    assert caught.value.retry_after_s == 3600
    assert len(hub.downloads()) == 1


@pytest.mark.parametrize("status", [429, 500, 403])
def test_a_link_to_the_storage_is_not_shown(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository, status: int
) -> None:
    hub.storage_status = status

    with pytest.raises(TgicliError) as caught:
        client.submit(fetch, name).result()

    assert SECRET in hub.downloads()[0].path
    assert SECRET not in str(caught.value)


def test_a_model_larger_than_the_disk_is_refused_before_it_comes(
    client: ProcessPoolExecutor, hub: Hub, name: str, repository: Repository
) -> None:
    hub.sizes[hashlib.sha256(repository.model).hexdigest()] = 2**60

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
    assert fetched.path.read_bytes() == repository.model


def test_a_place_that_can_not_be_written_is_not_called_full(
    client: ProcessPoolExecutor, name: str, repository: Repository
) -> None:
    with pytest.raises(ModelLoadError, match="/dev/null/x/hub: Not a directory; set HF_HOME to a"):
        client.submit(fetch, name, {"HF_HOME": "/dev/null/x"}).result()
