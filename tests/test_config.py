"""The configuration file by itself, with options that no command has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.config import Checks, ConfigFile, config_path, default_path, read_config, state_path
from tgicli.errors import ConfigError

FILE = Path("c.toml")


def check_size(value: object) -> object:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


CHECKS: Mapping[str, Checks] = {
    "cook": {"size": check_size, "how_long": check_size},
    "serve": {"size": check_size, "plates": check_size},
}


def settings(text: str, command: str = "cook") -> dict[str, object]:
    found = ConfigFile(FILE, text).settings(command, CHECKS[command], CHECKS)
    return {name: setting.value for name, setting in found.items()}


def complaint(text: str, command: str = "cook") -> str:
    with pytest.raises(ConfigError) as caught:
        settings(text, command)
    return str(caught.value)


def test_a_line_above_the_tables_is_for_every_command_with_that_option():
    text = "size = 1\nplates = 2\n"

    assert settings(text, "cook") == {"size": 1}
    assert settings(text, "serve") == {"size": 1, "plates": 2}


def test_a_commands_own_table_wins():
    text = "size = 1\n[serve]\nsize = 2\n"

    assert settings(text, "cook") == {"size": 1}
    assert settings(text, "serve") == {"size": 2}


@pytest.mark.parametrize("key", ["how-long", "how_long"])
def test_names_have_hyphens_or_underscores(key: str):
    assert settings(f"[cook]\n{key} = 3") == {"how_long": 3}


def test_a_dotted_name_is_a_table_too():
    assert settings("cook.size = 3") == {"size": 3}


def test_other_commands_tables_are_left_to_them():
    assert settings("[serve]\nplates = 'many'\nspoons = 1") == {}


def test_an_empty_file_sets_nothing():
    assert settings("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sise = 1", "c.toml:1: there is no option sise; did you mean size?"),
        ("\n\n[cook]\nhow_lng = 1", "c.toml:4: there is no option how_lng in [cook]; did you mean"),
        ("# one\nqqq = 1", "c.toml:2: there is no option qqq; known: how-long, plates, size"),
        ("[coook]\nsize = 1", "c.toml:1: there is no table coook; did you mean cook?"),
        ("size = 'big'", 'c.toml:1: size = "big": must be a whole number'),
        ("plates = 'all'", 'c.toml:1: plates = "all": must be a whole number'),
        ("[cook]\n\nhow-long = true", "c.toml:3: how-long = true: must be a whole number"),
        ("cook = 3", "c.toml:1: cook = 3: must be a table; write [cook] on a line of its own"),
        ("serve = 3", "c.toml:1: serve = 3: must be a table"),
        ("how-long = 1\nhow_long = 2", "c.toml:2: how-long is set already, at c.toml:1"),
        ("[cook]\nhow-long = 1\nhow_long = 2", "c.toml:3: how-long is set already, at c.toml:2"),
        ("size = = 1", "c.toml is not valid TOML: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str):
    assert complaint(text).startswith(message)


def test_a_value_that_looks_like_a_setting_is_none():
    text = '[serve]\nplates = """\nsize = 1\n"""\n'

    assert complaint(text, "serve").startswith('c.toml:2: plates = "size = 1\\n": must be')


def test_the_line_of_a_long_value_is_its_first():
    assert complaint("# note\nsize = [\n  1,\n  2,\n]\n").startswith("c.toml:2: size = [1, 2]")


def test_a_setting_knows_its_place():
    found = ConfigFile(FILE, "# note\n[cook]\nsize = 1").settings("cook", ["size"], CHECKS)

    assert found["size"].place == "c.toml:3"


def test_only_the_asked_options_are_returned():
    found = ConfigFile(FILE, "[cook]\nsize = 1\nhow-long = 2").settings("cook", ["size"], CHECKS)

    assert list(found) == ["size"]


@given(
    st.lists(st.sampled_from(["# note", "", "[serve]", "how-long = 2"]), unique=True, max_size=4)
)
def test_a_line_number_counts_what_comes_before(lines: list[str]):
    text = "\n".join([*lines, "[cook]", "size = 'big'"])

    assert complaint(text).startswith(f"c.toml:{len(lines) + 2}:")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home directory with nothing in it."""
    monkeypatch.delenv("TGICLI_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_without_a_file_there_are_no_settings(home: Path):
    assert read_config() is None


def test_a_home_that_is_no_directory_has_no_file(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)

    assert read_config() is None


@pytest.mark.parametrize("variable", [None, "", "  ", "/some/where"])
def test_the_file_is_looked_for_where_the_platform_keeps_such_files(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
):
    if variable is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", variable)

    expected = platformdirs.user_config_path("tgicli", appauthor=False) / "config.toml"

    assert default_path() == expected


def test_where_it_is_not_linux_platformdirs_is_asked(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name, **_: f"/Users/me/{name}")

    assert default_path() == Path("/Users/me/tgicli/config.toml")


def test_the_file_in_the_platforms_place_is_read(home: Path):
    path = default_path()
    path.parent.mkdir(parents=True)
    path.write_text("size = 1")

    config = read_config()

    assert config is not None
    assert config.path == path


def test_a_variable_names_another_file(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "mine.toml").write_text("size = 1")
    monkeypatch.setenv("TGICLI_CONFIG", "~/mine.toml")

    config = read_config()

    assert config_path() == home / "mine.toml"
    assert config is not None


def test_a_variable_that_names_no_file_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_CONFIG", "/no/where.toml")

    with pytest.raises(ConfigError, match=r"TGICLI_CONFIG names /no/where.toml, which does not"):
        read_config()


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "TGICLI_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)  # nobody has this number


@pytest.mark.usefixtures("no_home")
def test_who_has_no_home_has_an_empty_file_and_keeps_nothing():
    config = read_config()

    assert config is not None
    assert config.profiles == ()
    assert not list(state_path().glob("*"))
    with pytest.raises(OSError, match="Not a directory"):
        state_path().mkdir(parents=True)


def test_a_variable_that_names_no_known_home_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_CONFIG", "~nosuchuser/x")

    with pytest.raises(ConfigError, match="TGICLI_CONFIG names ~nosuchuser/x, a home directory"):
        read_config()


def test_an_empty_variable_names_nothing(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_CONFIG", "")

    assert config_path() == default_path()


def test_a_directory_is_no_file(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_CONFIG", str(home))

    with pytest.raises(ConfigError, match=r"can't read .*: Is a directory"):
        read_config()


def test_bytes_that_are_no_text_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "c.toml").write_bytes(b"a\xff")
    monkeypatch.setenv("TGICLI_CONFIG", str(home / "c.toml"))

    with pytest.raises(ConfigError, match="is not UTF-8: byte 1 can't be decoded"):
        read_config()


def test_a_byte_order_mark_and_dos_lines_are_read_like_any_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    (home / "c.toml").write_bytes(b"\xef\xbb\xbf# note\r\nsize = 'big'\r\n")
    monkeypatch.setenv("TGICLI_CONFIG", str(home / "c.toml"))
    config = read_config()

    assert config is not None
    with pytest.raises(ConfigError, match=r"c.toml:2: size"):
        config.settings("cook", ["size"], CHECKS)
