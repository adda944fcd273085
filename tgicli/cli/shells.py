"""What bash, zsh and fish want to read, to complete a tree of commands.

Called by `completion`. Pure: a tree in, a script out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A flag's value, or an argument."""

    name: str  # e.g. `FILE`
    choices: tuple[str, ...] = ()
    is_file: bool = False
    listed_by: str = ""  # the command of ours that prints more choices, one a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One option."""

    names: tuple[str, ...]  # `-m`, `--model`
    help: str
    value: Word | None  # None: it takes none
    is_repeatable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A command, and what can follow it."""

    path: str  # e.g. `tgicli models list`
    help: str
    flags: tuple[Flag, ...]
    arguments: tuple[Word, ...]
    children: tuple[Node, ...]

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path.split()[-1]

    def walk(self) -> Iterator[Node]:
        """Yield this command and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


NOTE = "# This is what `tgicli completion {}` prints; a change here would not last.\n"

_BASH = """\
_tgicli() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev before=$((COMP_CWORD - 1))
    local at=tgicli words='' files='' names='' head='' is_value='' word i
    # Bash makes three words of model:quant, and of --flag=value.
    if [[ $cur == : ]]; then
        head=${{COMP_WORDS[before]}}: cur=''
        ((before -= 1))
    elif [[ ${{COMP_WORDS[before]}} == : ]]; then
        head=${{COMP_WORDS[before - 1]}}:
        ((before -= 2))
    fi
    prev=${{COMP_WORDS[before]}}
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[before - 1]}}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [[ $word == = ]]; then
            is_value=yes
            continue
        elif [[ $is_value ]]; then
            is_value=''
            continue
        fi
        case "$at $word" in
{steps}
        esac
    done
    case "$at $prev" in
{values}
        *)
            [[ $cur == -* ]] && at+=' -'
            case $at in
{words}
            esac
            ;;
    esac
    # Where nothing matches, readline completes file names, unless it is told not to.
    [[ $files ]] || compopt +o default 2>/dev/null
    COMPREPLY=($(compgen -W "$words" -- "$head$cur"))
    # A name may be a stranger's: compgen would expand a $(...) in it.
    [[ $names ]] && while IFS= read -r word; do
        [[ $word == "$head$cur"* ]] && COMPREPLY+=("$(printf %q "$word")")
    done < <("${{COMP_WORDS[0]}}" $names 2>/dev/null)
    COMPREPLY=("${{COMPREPLY[@]#"$head"}}")
}}
complete -o default -F _tgicli tgicli
"""


def to_bash(root: Node) -> str:
    """Return the script for bash, 3.2 or later."""
    steps, values, words = list[str](), list[str](), list[str]()
    for node in root.walk():
        steps += [_bash_case([child.path], f"at='{child.path}'") for child in node.children]
        for known, flags in _flags_by_value(node).items():
            values.append(_bash_case(flags, known))
            steps.append(_bash_case(flags, "is_value=yes"))
        names = " ".join(name for flag in node.flags for name in flag.names)
        known = _bash_known(node.arguments, node.children)
        words.append(_bash_case([f"{node.path} -"], f"words='{names}'"))
        words.append(_bash_case([node.path], known))
    inner = textwrap.indent("\n".join(words), "        ")
    script = _BASH.format(steps="\n".join(steps), values="\n".join(values), words=inner)
    return NOTE.format("bash") + script


def _flags_by_value(node: Node) -> dict[str, list[str]]:
    """Group a command's flags that take a value by what is known of it, as `at` and `prev` read."""
    found: dict[str, list[str]] = {}
    for flag in node.flags:
        if flag.value:
            paths = [f"{node.path} {name}" for name in flag.names]
            found.setdefault(_bash_known([flag.value]), []).extend(paths)
    return found


def _bash_case(patterns: Iterable[str], action: str) -> str:
    return "        " + " | \\\n            ".join(f"'{p}'" for p in patterns) + f") {action} ;;"


def _bash_known(values: Iterable[Word], children: Iterable[Node] = ()) -> str:
    words = [choice for word in values for choice in word.choices]
    words += [child.name for child in children]
    files = "yes" if any(word.is_file for word in values) else ""
    names = next((f" names='{word.listed_by}'" for word in values if word.listed_by), "")
    return f"words='{' '.join(words)}' files='{files}'{names}"


_ZSH_NAMES = """\
_tgicli_names() {
    local -a names=(${(f)"$(tgicli $@ 2>/dev/null)"})
    compadd -a names
}
"""


def to_zsh(root: Node) -> str:
    """Return the script for zsh: for a directory of $fpath as `_tgicli`, or to be sourced."""
    functions = [_zsh_function(node) for node in root.walk()]
    ending = 'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n    _tgicli "$@"\nelse\n'
    ending += "    compdef _tgicli tgicli\nfi\n"
    return "\n".join(["#compdef tgicli", NOTE.format("zsh"), _ZSH_NAMES, *functions, ending])


def _zsh_function(node: Node) -> str:
    specs = [_zsh_flag(flag) for flag in node.flags]
    if not node.children:
        specs += [f"'*:{_zsh_value(word)}'" for word in node.arguments[:1]]
        body = ["    _arguments -s -S \\", " \\\n".join(f"        {spec}" for spec in specs)]
    else:
        specs += ["'1:command:->command'", "'*::argument:->argument'"]
        names = [
            f"                '{child.name}:{_zsh_text(child.help)}'" for child in node.children
        ]
        calls = [f"                {c.name}) {_zsh_name(c)} ;;" for c in node.children]
        body = [
            "    local context state state_descr line",
            "    typeset -A opt_args",
            "    _arguments -C -s -S \\",
            " \\\n".join(f"        {spec}" for spec in specs),
            "    case $state in",
            "        command)",
            "            local -a commands=(",
            *names,
            "            )",
            "            _describe command commands",
            "            ;;",
            "        argument)",
            "            case $words[1] in",
            *calls,
            "            esac",
            "            ;;",
            "    esac",
        ]
    return "\n".join([f"{_zsh_name(node)}() {{", *body, "}"]) + "\n"


def _zsh_name(node: Node) -> str:
    return "_" + node.path.replace(" ", "_")


def _zsh_flag(flag: Flag) -> str:
    """Spell an option for _arguments: what it excludes, its names, its help, its value."""
    names = [_zsh_spelling(name, flag.value) for name in flag.names]
    others = "*" if flag.is_repeatable else f"({' '.join(flag.names)})"
    value = f":{_zsh_value(flag.value)}" if flag.value else ""
    spelled = f"'{{{','.join(names)}}}'" if names[1:] else names[0]
    return f"'{others}{spelled}[{_zsh_text(flag.help)}]{value}'"


def _zsh_spelling(name: str, value: Word | None) -> str:
    if value is None:
        return name
    return f"{name}=" if name.startswith("--") else f"{name}+"


def _zsh_value(word: Word) -> str:
    action = "_files" if word.is_file else f"({' '.join(word.choices)})" if word.choices else " "
    if word.listed_by:
        action = f"{{_tgicli_names {word.listed_by}; {action if word.is_file else 'true'}}}"
    return f"{_zsh_text(word.name)}:{action}"


def _zsh_text(text: str) -> str:
    for special in "\\[]:":
        text = text.replace(special, f"\\{special}")
    return text.replace("'", "'\\''")


_FISH = """\
function __tgicli_at --description 'Whether the command before the cursor is this one'
    set -l at tgicli
    set -l is_value
    for word in (commandline -opc)[2..]
        if set -q is_value[1]
            set -e is_value
            continue
        end
        switch "$at $word"
{steps}
        end
    end
    test "$at" = "$argv"
end
complete -c tgicli -f
"""


def to_fish(root: Node) -> str:
    """Return the script for fish."""
    steps, lines = list[str](), list[str]()
    for node in root.walk():
        here = f"complete -c tgicli -n '__tgicli_at {node.path}'"
        for child in node.children:
            steps += [f"            case '{child.path}'", f"                set at '{child.path}'"]
            lines.append(f"{here} -a {child.name} -d '{_fish_text(child.help)}'")
        for flag in node.flags:
            if flag.value:
                paths = " ".join(f"'{node.path} {name}'" for name in flag.names)
                steps += [f"            case {paths}", "                set is_value yes"]
            lines.append(f"{here} {_fish_flag(flag)}")
        lines += [f"{here} {' '.join(_fish_value(word))}" for word in node.arguments]
    return NOTE.format("fish") + _FISH.format(steps="\n".join(steps)) + "\n".join(lines) + "\n"


def _fish_flag(flag: Flag) -> str:
    names = [f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in flag.names]
    value = ["-r", *_fish_value(flag.value)] if flag.value else []
    return " ".join([*names, *value, f"-d '{_fish_text(flag.help)}'"])


def _fish_value(word: Word) -> list[str]:
    choices = [f"-a '{' '.join(word.choices)}'"] if word.choices else []
    if word.listed_by:
        choices = [f"-a '(tgicli {word.listed_by} 2>/dev/null)'"]
    return ["-F" if word.is_file else "-f", *choices]


def _fish_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
