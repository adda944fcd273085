"""The shared cache: where it is, and what is in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.files import split_gguf, write_gguf
from tgicli.models.cache import cached_names, find_cached
from tgicli.models.names import HubName

OLD, NEW = "0" * 40, "f" * 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the cache has of org/gem."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path / "models--org--gem"


def set_main(folder: Path, commit: str) -> None:
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs/main").write_text(commit)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"XDG_CACHE_HOME": "/xdg"},
        {"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/xdg"},
        {"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/hf"},
        {"HF_HUB_CACHE": "$HOME/new", "HUGGINGFACE_HUB_CACHE": "/old"},
        {"XDG_CACHE_HOME": ""},
        {"HF_HOME": ""},
        {"HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "/old"},
    ],
)
def test_the_cache_is_where_the_library_has_it(environ: dict[str, str]) -> None:
    ask = (
        "from huggingface_hub.constants import HF_HUB_CACHE\n"
        "from pathlib import Path\n"
        "from tgicli.models.cache import cache_dir\n"
        "print(Path(HF_HUB_CACHE), cache_dir(), sep='\\n')"
    )
    environ = environ | {"HOME": "/home/somebody", "PATH": os.environ["PATH"]}

    answer = subprocess.run(
        [sys.executable, "-c", ask], env=environ, check=True, capture_output=True, text=True
    )

    theirs, ours = answer.stdout.splitlines()
    assert ours == theirs


def test_an_empty_cache_has_nothing(folder: Path) -> None:
    assert find_cached(HubName("org/gem")) is None
    assert cached_names() == []


def test_main_comes_before_what_was_downloaded_later(folder: Path) -> None:
    main = write_gguf(folder / "snapshots" / OLD / "gem-Q8_0.gguf")
    write_gguf(folder / "snapshots" / NEW / "gem-Q8_0.gguf")
    set_main(folder, OLD)

    assert find_cached(HubName("org/gem")) == main


def test_without_main_the_newest_download_comes_first(folder: Path) -> None:
    write_gguf(folder / "snapshots" / OLD / "gem-Q8_0.gguf")
    newest = write_gguf(folder / "snapshots" / NEW / "gem-Q8_0.gguf")
    os.utime(folder / "snapshots" / OLD, (1, 1))

    assert find_cached(HubName("org/gem", "Q8_0")) == newest


def test_a_main_that_can_not_be_read_is_none(folder: Path) -> None:
    write_gguf(folder / "snapshots" / OLD / "gem-Q8_0.gguf")
    set_main(folder, OLD)
    (folder / "refs/main").write_bytes(b"\xff")

    assert cached_names() == ["org/gem:Q8_0"]


def test_a_name_without_quantisation_means_the_preferred_one_that_is_here(folder: Path) -> None:
    write_gguf(folder / "snapshots" / NEW / "gem-Q6_K.gguf")
    preferred = write_gguf(folder / "snapshots" / NEW / "gem-Q8_0.gguf")

    assert find_cached(HubName("org/gem")) == preferred
    assert find_cached(HubName("org/gem", "Q4_K_M")) is None


def test_a_models_suffix_may_be_in_capitals(folder: Path) -> None:
    model = write_gguf(folder / "snapshots" / NEW / "Gem-Q8_0.GGUF")

    assert find_cached(HubName("org/gem")) == model
    assert cached_names() == ["org/gem:Q8_0"]


def test_a_link_whose_blob_was_deleted_is_not_there(folder: Path) -> None:
    snapshot = folder / "snapshots" / NEW
    snapshot.mkdir(parents=True)
    (snapshot / "gem-Q8_0.gguf").symlink_to("../../blobs/gone")

    assert find_cached(HubName("org/gem")) is None
    assert cached_names() == []


def test_a_split_model_is_there_when_all_parts_are(folder: Path) -> None:
    parts = split_gguf(folder / "snapshots" / NEW / "BF16", "gem-BF16", 2)
    assert find_cached(HubName("org/gem", "BF16")) == parts[0]

    parts[1].unlink()

    assert find_cached(HubName("org/gem", "BF16")) is None
    assert cached_names() == []


def test_cached_models_are_listed_by_the_shortest_name_that_means_them(folder: Path) -> None:
    for file in ("gem-Q8_0.gguf", "a/gem-Q4_0.gguf", "b/gem-Q4_0.gguf", "plain.gguf"):
        write_gguf(folder / "snapshots" / NEW / file)
    write_gguf(folder / "snapshots" / OLD / "gem-Q8_0.gguf")
    write_gguf(folder.with_name("models--zoo--cat--x") / "snapshots" / NEW / "m-F16.gguf")
    set_main(folder, NEW)

    listed = cached_names()

    assert listed == [
        "org/gem:Q8_0",
        "org/gem:a/gem-Q4_0.gguf",
        "org/gem:b/gem-Q4_0.gguf",
        "org/gem:plain.gguf",
        "zoo/cat--x:F16",
    ]
    assert all(find_cached(reference) for name in listed if (reference := HubName.parse(name)))
