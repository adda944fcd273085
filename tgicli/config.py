"""The configuration file: which settings it holds, and on which line.

Read by `cli` on the main thread. Knows no command and no flag: `cli` passes in which names there
are and how a value is checked, so that flags, variables and file obey one set of rules. Never
writes.

    temperature = 0.2          # every command that has such an option

    [generate]                 # `tgicli generate` alone; wins over the lines above
    stop = ["User:", "###"]    # names with `-` or `_`

    [profiles.work]            # with `--profile work`: every command; wins over all of the above
    endpoint = "http://10.0.0.7:8080"
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from tgicli.errors import ConfigError

PATH_VARIABLE = "TGICLI_CONFIG"
PROFILES = "profiles"  # the table of tables that --profile chooses from
_MOST_LISTED = 12  # names, where none is like what is there
_PROFILE = "profile"  # the option that chooses; nothing that a profile sets

Check = Callable[[object], object]  # raises ValueError, which says what is allowed
Checks = Mapping[str, Check]  # by option name, with underscores
Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value as the file has it; a command can use it."""

    value: object
    keys: tuple[str, ...]  # as the file spells them
    file: ConfigFile

    @property
    def place(self) -> str:
        """Where it is set, as `file:line`."""
        return self.file.place(self.keys)

    @property
    def is_of_profile(self) -> bool:
        """Whether a profile sets it."""
        return self.keys[0] == PROFILES


def config_path() -> Path:
    """Return the file that TGICLI_CONFIG names, else the one in the platform's directory.

    Raises:
        ConfigError: the variable names a home directory that is not known.
    """
    named = os.environ.get(PATH_VARIABLE)
    if not named:
        return default_path()
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{PATH_VARIABLE} names {named}, a home directory that is not known"
        ) from None


def default_path() -> Path:
    """Return where the configuration file is looked for, whether it exists or not.

    Who has no home has an empty file.
    """
    if sys.platform == "linux":  # what platformdirs answers there, without its import (4 ms)
        home = os.environ.get("XDG_CONFIG_HOME", "").strip() or "~/.config"
        try:
            return Path(home).expanduser() / "tgicli" / "config.toml"
        except RuntimeError:
            return Path(os.devnull)
    import platformdirs

    return Path(platformdirs.user_config_dir("tgicli", appauthor=False)) / "config.toml"


def state_path() -> Path:
    """Return the directory for what is kept between runs, whether it exists or not.

    Who has no home can keep nothing in it.
    """
    import platformdirs

    try:
        return platformdirs.user_state_path("tgicli", appauthor=False)
    except RuntimeError:
        return Path(os.devnull) / "tgicli"


def read_config() -> ConfigFile | None:
    """Read the configuration file; None when there is none.

    Raises:
        ConfigError: TGICLI_CONFIG names no file, or the file can't be read, or is no TOML.
    """
    path = config_path()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:  # daemons have HOME=/dev/null
        if os.environ.get(PATH_VARIABLE):
            raise ConfigError(f"{PATH_VARIABLE} names {path}, which does not exist") from error
        return None
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: byte {error.start} can't be decoded") from error
    return ConfigFile(path, text)


class ConfigFile:
    """A file that is TOML; names and values are checked when a command asks for its settings."""

    def __init__(self, path: Path, text: str) -> None:
        import tomllib  # 4 ms, and most runs have no file

        self.path = path
        self._text = text
        try:
            self._top: Table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not valid TOML: {error}") from error

    def settings(
        self,
        command: str,
        options: Iterable[str],
        checks: Mapping[str, Checks],
        profile: str | None = None,
    ) -> dict[str, Setting]:
        """Return what is said about these options of a command; its own table wins over the top.

        A profile wins over both. checks has all options of all commands. It may be lazy: the others
        are seldom looked at.

        Raises:
            ConfigError: a name or a value is wrong, outside of other commands' tables and other
                profiles; or there is no such profile.
        """
        top = self._top_settings(command, checks)
        own = self._table_settings(command, checks)
        chosen = {} if profile is None else self.profile(profile, checks, command)
        found = top | own | chosen
        return {name: found[name] for name in options if name in found}

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of its profiles."""
        table = self._top.get(PROFILES, {})
        return tuple(table) if _is_table(table) else ()

    def profile(
        self, name: str, checks: Mapping[str, Checks], command: str | None = None
    ) -> dict[str, Setting]:
        """Return what a profile says, about options of any command; this one's are looked at first.

        Raises:
            ConfigError: there is no such profile, or a name or a value in it is wrong.
        """
        profiles = self._top.get(PROFILES, {})
        self._check_table((PROFILES,), profiles)
        if not _is_table(profiles) or name not in profiles:
            close = difflib.get_close_matches(name, self.profiles, n=1)
            known = f"known: {', '.join(self.profiles)}" if self.profiles else "it has none"
            hint = f"did you mean {close[0]}?" if close else known
            raise ConfigError(f"there is no profile {name} in {self.path}; {hint}")
        table = profiles[name]
        self._check_table((PROFILES, name), table)
        own = {} if command is None else checks[command]
        found: dict[str, Setting] = {}
        for key, value in table.items() if _is_table(table) else ():
            option, keys = _to_name(key), (PROFILES, name, key)
            if _is_table(value):
                raise ConfigError(
                    f"{self.place(keys)}: a profile has options for all commands and no tables; "
                    f"write them below [{PROFILES}.{name}]"
                )
            check = own.get(option) or _first_check(option, checks)
            if check is None or option == _PROFILE:
                raise self._unknown("option", keys, _names(checks) - {_PROFILE})
            self._add(found, option, check, Setting(value, keys, self))
        return found

    def check(self, checks: Mapping[str, Checks]) -> None:
        """Look at all that is in the file, whoever may ask for it.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        for command in checks:
            self.settings(command, (), checks)
        for name in self.profiles:
            self.profile(name, checks)

    def _top_settings(self, command: str, checks: Mapping[str, Checks]) -> dict[str, Setting]:
        found: dict[str, Setting] = {}
        for key, value in self._top.items():
            name = _to_name(key)
            check = checks[command].get(name) or _first_check(name, checks)
            is_command = key in checks and (check is None or _is_table(value))  # `chat` is both
            if is_command or key == PROFILES:
                self._check_table((key,), value)
            elif check:
                self._add(found, name, check, Setting(value, (key,), self))
            elif isinstance(value, dict):
                raise self._unknown("table", (key,), checks)
            else:
                raise self._unknown("option", (key,), _names(checks))
        return found

    def _table_settings(self, command: str, checks: Mapping[str, Checks]) -> dict[str, Setting]:
        options = checks[command]
        found: dict[str, Setting] = {}
        table = self._top.get(command, {})
        for key, value in table.items() if _is_table(table) else ():
            name, keys = _to_name(key), (command, key)
            if name not in options:
                owners = [other for other in checks if name in checks[other]]
                raise self._unknown("option", keys, options, owners)
            self._add(found, name, options[name], Setting(value, keys, self))
        return found

    def _add(self, found: dict[str, Setting], name: str, check: Check, setting: Setting) -> None:
        """Check a setting, and add it; `top-k` and `top_k` together are one too many."""
        key = _flag(setting.keys[-1])
        if name in found:
            first = found[name].place
            raise ConfigError(f"{setting.place}: {key} is set already, at {first}")
        try:
            check(setting.value)
        except ValueError as error:
            raise ConfigError(f"{setting.place}: {key} = {_toml(setting.value)}: {error}") from None
        found[name] = setting

    def _check_table(self, keys: tuple[str, ...], value: object) -> None:
        if not isinstance(value, dict):
            raise ConfigError(
                f"{self.place(keys)}: {keys[-1]} = {_toml(value)}: must be a table; "
                f"write [{'.'.join(keys)}] on a line of its own and its options below"
            )

    def _unknown(
        self, what: str, keys: tuple[str, ...], known: Iterable[str], owners: Sequence[str] = ()
    ) -> ConfigError:
        """Say that there is no such name here, and which is meant, or whose it is."""
        spelled = [_flag(name) for name in known]
        close = difflib.get_close_matches(_flag(keys[-1]), spelled, n=1)
        where = f" in [{'.'.join(keys[:-1])}]" if len(keys) > 1 else ""
        if owners:
            hint = f"it is an option of {', '.join(owners)}"
        elif close or len(spelled) <= _MOST_LISTED:
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(spelled))}"
        else:
            hint = "`tgicli config` shows all"
        return ConfigError(f"{self.place(keys)}: there is no {what} {keys[-1]}{where}; {hint}")

    def place(self, keys: tuple[str, ...]) -> str:
        """Say where a key is set, as `file:line`."""
        return f"{self.path}:{_line(self._text, keys)}"


def _first_check(name: str, checks: Mapping[str, Checks]) -> Check | None:
    return next((found[name] for found in checks.values() if name in found), None)


def _names(checks: Mapping[str, Checks]) -> set[str]:
    return {name for found in checks.values() for name in found}


def _to_name(key: str) -> str:
    return key.replace("-", "_")


def _flag(key: str) -> str:
    return key.replace("_", "-")


def _toml(value: object) -> str:
    """Spell a value about as the file does."""
    import json  # for errors only

    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{...}"
        case _:
            return str(value)


def _is_table(value: object) -> TypeGuard[Table]:
    return isinstance(value, dict)


def _line(text: str, keys: tuple[str, ...]) -> int:
    """Find the line where a key is set.

    tomllib tells no lines. But every whole statement ends a prefix that is TOML by itself, so the
    key's begins after the last such prefix that lacks the key. Quadratic; only errors and `tgicli
    config` ask.
    """
    begin = 1
    for end, table in _whole_prefixes(text):
        if _holds(table, keys):
            break
        begin = end + 1
    return begin


def _whole_prefixes(text: str) -> Iterator[tuple[int, Table]]:
    import tomllib

    lines = text.split("\n")
    for end in range(1, len(lines) + 1):
        try:
            yield end, tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue


def _holds(table: object, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not _is_table(table) or key not in table:
            return False
        table = table[key]
    return True
