"""`tgicli chat` as a person sees it: a real process on a pseudo-terminal, on a tiny model."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.chat.chatting import ALT_ENTER, CTRL_C, CTRL_D, CTRL_R, ENTER, TAB, UP, Chatting
from tests.faulty import DONE, answer, chat_event, close, serving, stream

Talk = Callable[..., Chatting]
SHORT = ["--max-new-tokens", "8"]
ENDLESS = ["--ctx-size", "100000"]
# The tiny model's words are random: what they look like in a terminal is of no interest here.
QUESTION = "Say something"


@pytest.fixture
def talk(tiny_model: Path, tmp_path: Path) -> Talk:
    """Return a function that starts a chat with the tiny model."""

    def start(*args: str, lines: int = 24, **variables: str) -> Chatting:
        words = ["--plain", "-m", str(tiny_model), "--threads", "1", "--seed", "3", *args]
        return Chatting(*words, state=tmp_path / "state", lines=lines, **variables)

    return start


def saved(path: Path) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = json.loads(path.read_text())
    return messages


def ask(chat: Chatting, number: int, question: str = QUESTION) -> None:
    """Ask the n-th question and wait for the end of its answer."""
    chat.wait_for_prompt(number)
    chat.type(question + ENTER)
    chat.wait_for_prompt(number + 1)


def test_questions_are_answered_until_ctrl_d(talk: Talk) -> None:
    with talk(*SHORT, "--stats") as chat:
        ask(chat, 1)
        ask(chat, 2)
        chat.type(CTRL_D)

        assert chat.end() == 0
        said = " ".join(chat.rows())
        assert len(re.findall(r"answer 8 tokens.*?; ?seed ?3", said)) == 2
        assert chat.rows()[-1] == ">"


def test_the_first_prompt_says_where_help_is_and_help_lists_every_command(talk: Talk) -> None:
    with talk(*SHORT) as chat:
        chat.wait_for("> a question, or /help")
        chat.type("/help" + ENTER)
        rows = chat.wait_for("/quit")

        named = [row.split()[0] for row in rows if row.startswith("/")]
        assert named == [
            *["/help", "/system", "/retry", "/undo", "/forget", "/clear", "/stats"],
            *["/save", "/save!", "/load", "/quit"],
        ]
        chat.type("/quit" + ENTER)
        assert chat.end() == 0


def test_several_lines_are_one_question(talk: Talk, tmp_path: Path) -> None:
    file = tmp_path / "said.json"
    with talk(*SHORT) as chat:
        ask(chat, 1, f"one{ALT_ENTER}two\\{ENTER}three")
        ask(chat, 2, f'"""{ENTER}four{ENTER}{ENTER}five{ENTER}"""')
        ask(chat, 3, f"six{ENTER}")
        chat.type(f"```python{ENTER}x = 1{ENTER}```{ENTER}")
        chat.wait_for_prompt(5)
        chat.type(f"/save {file}{ENTER}")
        chat.wait_for("saved in")

    questions = [message["content"] for message in saved(file) if message["role"] == "user"]
    assert questions == ["one\ntwo\nthree", "four\n\nfive", "six", "```python\nx = 1\n```"]


def test_ctrl_c_stops_the_answer_and_keeps_the_conversation(talk: Talk, tmp_path: Path) -> None:
    file = tmp_path / "said.json"
    with talk(*ENDLESS) as chat:
        chat.wait_for_prompt(1)
        chat.type(QUESTION + ENTER)
        chat.wait_until(lambda rows: len("".join(rows)) > 200)
        chat.type(CTRL_C)
        chat.wait_for("stopped")
        chat.wait_for_prompt(2)
        chat.type(f"/save {file}{ENTER}")
        chat.wait_for("saved in")
        chat.type(f"/stats{ENTER}")
        chat.wait_for("ended by      Ctrl-C")
        chat.type(CTRL_D)

        assert chat.end() == 0
    question, answer = saved(file)
    assert (question["role"], answer["role"]) == ("user", "assistant")
    assert len(answer["content"]) > 50


def test_ctrl_c_stops_one_answer_after_the_other(talk: Talk) -> None:
    with talk(*ENDLESS) as chat:
        for number in (1, 2, 3):
            chat.wait_for_prompt(number)
            n_before = len(chat.received)
            chat.type(QUESTION + ENTER)
            chat.wait_until(lambda _, n=n_before: len(chat.received) > n + 200)  # type: ignore[misc]
            chat.type(CTRL_C)

        chat.wait_until(lambda rows: rows.count("stopped") == 3)


def test_ctrl_c_while_typing_clears_the_line_and_does_not_leave(talk: Talk) -> None:
    with talk(*SHORT) as chat:
        chat.wait_for_prompt(1)
        chat.type("never mind")
        chat.wait_for("> never mind")
        chat.type(CTRL_C)
        rows = chat.wait_for_prompt(1)
        assert not any("never mind" in row for row in rows)

        chat.type(CTRL_C)
        chat.wait_for("> Ctrl-D or /quit leaves")
        chat.type("/quit" + ENTER)
        assert chat.end() == 0


def test_what_is_typed_during_an_answer_is_not_shown_in_it_and_waits(talk: Talk) -> None:
    with talk(*ENDLESS) as chat:
        chat.wait_for_prompt(1)
        chat.type(QUESTION + ENTER)
        chat.wait_until(lambda rows: len("".join(rows)) > 200)
        chat.type("QQQ")
        chat.type(CTRL_C)
        rows = chat.wait_for("> QQQ")

        assert sum("QQQ" in row for row in rows) == 1


def test_retry_asks_the_last_question_again_and_draws_another_answer(
    talk: Talk, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    with talk(*SHORT) as chat:
        ask(chat, 1)
        ask(chat, 2, f"/save {first}")
        ask(chat, 3, "/retry")
        ask(chat, 4, f"/save {second}")

    one, other = saved(first), saved(second)
    assert [message["role"] for message in other] == ["user", "assistant"]
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_a_question_that_failed_is_not_taken_for_the_same_one_before(
    tmp_path: Path,
) -> None:
    fine = stream(chat_event(content="Yes"), chat_event(reason="stop"), DONE)
    answers = [fine, [close], [close], fine]
    file = tmp_path / "chat.json"
    with (
        serving(*answers, pages={"/v1/models": answer(200, b'{"data":[{"id":"m"}]}')}) as server,
        Chatting("--plain", "-e", server.url, "--retries", "0", state=tmp_path / "s") as chat,
    ):
        ask(chat, 1, "continue")
        ask(chat, 2, "continue")
        ask(chat, 3, "/retry")
        ask(chat, 4, "/retry")
        ask(chat, 5, f"/save {file}")

    assert [message["content"] for message in saved(file)] == ["continue", "Yes"] * 2


@pytest.mark.parametrize("command", ["/save", "/save!"])
def test_a_file_that_can_not_be_is_said_and_the_session_goes_on(talk: Talk, command: str) -> None:
    with talk(*SHORT) as chat:
        ask(chat, 1)
        ask(chat, 2, f"{command} {'x' * 300}")

        assert "File name too long" in " ".join(chat.rows())
        ask(chat, 3, "Short?")


def test_a_full_context_is_said_with_both_numbers_and_the_session_goes_on(talk: Talk) -> None:
    with talk("--ctx-size", "256", "--max-new-tokens", "100") as chat:
        ask(chat, 1)
        ask(chat, 2, "and " * 40)
        rows = chat.rows()

        said = " ".join(rows)
        found = re.search(
            r"has (\d+) tokens and --max-new-tokens wants 100 more; the context holds 256", said
        )
        assert found is not None, said
        assert int(found[1]) > 156
        chat.type(f"/undo{ENTER}")
        chat.wait_for("took back: Say something")
        ask(chat, 4, "Short?")
        assert "holds" not in " ".join(chat.rows()[-6:])


def test_an_answer_that_fills_the_context_is_said_to_be_cut(talk: Talk) -> None:
    with talk("--ctx-size", "256") as chat:
        ask(chat, 1)

        said = " ".join(chat.rows())
        assert "the context is full, 256 of 256 tokens" in said
        assert "/undo" in said


def test_what_was_saved_is_loaded_by_another_session(talk: Talk, tmp_path: Path) -> None:
    file, again = tmp_path / "a file.json", tmp_path / "again.json"
    with talk(*SHORT, "--system", "Be kind.") as chat:
        ask(chat, 1)
        ask(chat, 2, f"/save {file}")
    with talk(*SHORT) as chat:
        ask(chat, 1, f"/load {file}")
        rows = chat.rows()
        ask(chat, 2, f"/save {again}")

    assert any("3 messages" in row for row in rows)
    assert "its last question: Say something" in rows
    assert saved(file)[0] == {"role": "system", "content": "Be kind."}
    assert again.read_bytes() == file.read_bytes()


def test_a_file_is_overwritten_only_when_that_is_said(talk: Talk, tmp_path: Path) -> None:
    file = tmp_path / "said.json"
    file.write_text("mine")
    with talk(*SHORT) as chat:
        ask(chat, 1)
        chat.type(f"/save {file}{ENTER}")
        chat.wait_for("is there already")
        assert file.read_text() == "mine"
        chat.type(f"/save! {file}{ENTER}")
        chat.wait_for("overwrote")

    assert len(saved(file)) == 2


def test_an_unknown_command_says_so_and_comes_back_to_be_corrected(talk: Talk) -> None:
    with talk(*SHORT) as chat:
        chat.wait_for_prompt(1)
        chat.type("/undp" + ENTER)
        chat.wait_until(lambda rows: rows.count("> /undp") == 2)
        said = " ".join(chat.rows())

        assert "there is no command /undp; did you mean /undo?" in said
        assert "/help lists all" in said


def test_system_shows_sets_and_says_that_the_conversation_goes_on(
    talk: Talk, tmp_path: Path
) -> None:
    file = tmp_path / "said.json"
    with talk(*SHORT) as chat:
        ask(chat, 1)
        ask(chat, 2, "/system Answer in French.")
        ask(chat, 3, "/system")
        rows = chat.rows()
        ask(chat, 4, f"/save {file}")
        ask(chat, 5, "/clear")
        ask(chat, 6, "/system -")

    assert any("the conversation goes on, its 2 messages stay" in row for row in rows)
    assert "Answer in French." in rows
    assert [message["role"] for message in saved(file)] == ["system", "user", "assistant"]


def test_up_and_ctrl_r_find_questions_of_earlier_sessions_that_others_can_not_read(
    talk: Talk, tmp_path: Path
) -> None:
    with talk(*SHORT) as chat:
        ask(chat, 1, "an early bird")
        ask(chat, 2, "a late worm")
    with talk(*SHORT) as chat:
        chat.wait_for_prompt(1)
        chat.type(UP)
        chat.wait_for("> a late worm")
        chat.type(CTRL_C)
        chat.wait_for_prompt(1)
        chat.type(CTRL_R + "early")
        chat.wait_for("an early bird")

    file = tmp_path / "state" / "tgicli" / "chat_history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_history_nothing_is_kept(talk: Talk, tmp_path: Path) -> None:
    with talk(*SHORT, "--no-history") as chat:
        ask(chat, 1)

    assert not (tmp_path / "state").exists()


def test_a_history_that_can_not_be_kept_is_said_and_does_no_harm(talk: Talk, tmp_path: Path):
    (tmp_path / "state").write_text("a file where a directory should be")
    with talk(*SHORT) as chat:
        chat.wait_for("the questions are not kept in")
        ask(chat, 1)


def test_all_of_a_question_stays_on_a_screen_that_is_lower(talk: Talk, tmp_path: Path) -> None:
    file, lines = tmp_path / "said.json", [f"line {n}" for n in range(20)]
    with talk(*SHORT, lines=8) as chat:
        chat.wait_for_prompt(1)
        chat.type("\x1b[200~" + "\r".join([*lines, "", ""]) + "\x1b[201~")
        chat.wait_for("line 19")
        chat.type(ENTER)
        rows = chat.wait_for_prompt(2)
        ask(chat, 2, f"/save {file}")

    at = rows.index("> line 0")
    assert rows[at : at + 20] == ["> line 0", *(f"  {line}" for line in lines[1:])]
    assert saved(file)[0]["content"] == "\n".join(lines)


def test_a_session_can_begin_with_a_question_and_with_what_was_saved(
    talk: Talk, tmp_path: Path
) -> None:
    file, again = tmp_path / "it's.json", tmp_path / "again.json"
    with talk(*SHORT, "--system", "Be kind.", "Who?") as chat:
        ask(chat, 1, f'/save "{file}"')
    with talk(*SHORT, "--load", str(file), "And who else?") as chat:
        chat.wait_for("loaded 3 messages")
        chat.wait_for("its last question: Who?")
        ask(chat, 1, f"/save {again}")

    assert saved(again)[:3] == saved(file)
    assert [message["content"] for message in saved(again)[0:4:3]] == ["Be kind.", "And who else?"]


@pytest.mark.parametrize("words", ["/exit", "/bye", "exit", "quit"])
def test_other_programs_words_leave_as_well(tmp_path: Path, words: str) -> None:
    with Chatting("-e", "http://localhost:1", state=tmp_path) as chat:
        chat.wait_for_prompt(1)
        chat.type(words + ENTER)

        assert chat.end() == 0


def test_a_word_too_many_does_not_leave(tmp_path: Path) -> None:
    with Chatting("-e", "http://localhost:1", state=tmp_path) as chat:
        chat.wait_for_prompt(1)
        chat.type("/quit smoking?" + ENTER)

        chat.wait_for("error: /quit takes no 'smoking?'")


def test_tab_completes_commands(talk: Talk) -> None:
    with talk(*SHORT) as chat:
        chat.wait_for_prompt(1)
        chat.type("/un" + TAB)

        chat.wait_for("> /undo")


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {}], ids=["no colour", "colour"])
def test_colours_show_where_they_are_wanted_only(talk: Talk, variables: dict[str, str]) -> None:
    with talk(*SHORT, **variables) as chat:
        ask(chat, 1)

        has_colour = re.search(rb"\x1b\[[0-9;]*3[0-9]|\x1b\[[0-9;]*9[0-7]", bytes(chat.received))
        assert (has_colour is None) == ("NO_COLOR" in variables)


def test_a_dumb_terminal_gets_no_escape(talk: Talk) -> None:
    with talk(*SHORT, TERM="dumb") as chat:
        ask(chat, 1)
        chat.type("a long question" + CTRL_C)
        chat.type("/quit\n")

        assert chat.end() == 0
        assert b"\x1b" not in chat.received


def test_a_small_window_is_not_scrolled_by_the_prompt(talk: Talk) -> None:
    with talk(*SHORT, lines=6) as chat:
        ask(chat, 1)

        assert len(chat.rows()) < 8


def test_sigterm_restores_the_terminal_and_returns_143(talk: Talk) -> None:
    with talk(*SHORT) as chat:
        ask(chat, 1)
        chat.process.send_signal(signal.SIGTERM)

        assert chat.end() == 143


def test_a_model_without_a_template_is_refused_while_the_question_is_typed(
    tiny_models: Callable[[str], Path], tmp_path: Path
) -> None:
    model = tiny_models("no_template")
    with Chatting("-m", str(model), state=tmp_path) as chat:
        assert chat.end() != 0
        assert any("has no chat template" in row for row in chat.rows())


def test_a_server_that_does_not_answer_is_said_and_the_session_goes_on(tmp_path: Path) -> None:
    with Chatting("-e", "http://localhost:1", "--retries", "0", state=tmp_path) as chat:
        ask(chat, 1)
        assert any("error: nobody listens at http://localhost:1" in row for row in chat.rows())
        ask(chat, 2, "/retry")
        said = [row for row in chat.rows() if "nobody listens" in row]
        assert len(said) == 2
        ask(chat, 3, "/stats")
        chat.type(CTRL_D)

        assert chat.end() == 0
        assert any("there is no answer yet" in row for row in chat.rows())


@pytest.mark.model
def test_the_second_turn_reuses_all_of_the_first(demo_model: Path, tmp_path: Path) -> None:
    args = ["-m", str(demo_model), "--stats", "--threads", "1", "--max-new-tokens", "16"]
    hot = ["--temperature", "1.5", "--seed", "4"]  # words that the tokenizer would cut otherwise
    with Chatting("--plain", *args, *hot, state=tmp_path, COLUMNS="80") as chat:
        for number, question in enumerate(["Tell me a story.", "Go on.", "And then?"], 1):
            ask(chat, number, question)
        said = " ".join(chat.rows())

    numbers = [int(n) for n in re.findall(r"prompt (\d+) tokens", said)]
    cached = [int(n) for n in re.findall(r"\((\d+) cached\)", said)]
    answers = [int(n) for n in re.findall(r"answer (\d+) tokens", said)]
    for turn in (1, 2):
        assert cached[turn] >= numbers[turn - 1] + answers[turn - 1] - 1  # but for its last token


def test_the_terminal_is_as_before_when_the_session_ends(talk: Talk) -> None:
    import termios

    with talk(*SHORT) as chat:
        before = termios.tcgetattr(chat._master)
        ask(chat, 1)
        during = termios.tcgetattr(chat._master)
        chat.type(CTRL_D)
        os.waitid(os.P_PID, chat.process.pid, os.WEXITED | os.WNOWAIT)
        after = termios.tcgetattr(chat._master)

        assert not during[3] & termios.ECHO
        assert after == before
