"""Rows brought to their width and to bytes."""

from __future__ import annotations

from tgicli.ui.rows import beside, clean, cropped, fitted, flowed, row, to_bytes


def test_words_from_elsewhere_are_one_harmless_line():
    assert clean("a\x1b[2J\n\tb") == "a␛[2J␊␉b"


def test_a_text_is_padded_or_cut_to_its_cells():
    assert [fitted("abc", n) for n in (5, 3, 2, 0)] == ["abc  ", "abc", "a…", ""]


def test_characters_of_two_cells_are_never_halved():
    assert fitted("日本語", 4) == "日 …"


def test_a_cropped_row_ends_without_blanks():
    assert [one.plain for one in cropped([row("ab   "), row("abcdef")], 4)] == ["ab", "abc…"]


def test_blocks_stand_beside_each_other_though_one_is_longer():
    blocks = [[row("ab")], [row("cd"), row("efg")]]

    assert [one.plain for one in beside(blocks, 4)] == ["ab  cd", "    efg"]


def test_words_flow_into_lines_and_are_never_parted():
    assert flowed(["0 errors", "0 dropped", "cache 0 %"], 20, 2) == [
        "  0 errors",
        "  0 dropped",
        "  cache 0 %",
    ]
    assert flowed(["0 errors", "cache 0 %"], 22, 2) == ["  0 errors  cache 0 %"]


def test_a_file_gets_no_styles():
    rows = [row(("bold", "bold red"), " plain")]

    assert to_bytes(rows, is_styled=False, has_colour=False) == b"bold plain\n"
    assert to_bytes(rows, is_styled=True, has_colour=True) == b"\x1b[1;31mbold\x1b[0m plain\n"
    assert to_bytes(rows, is_styled=True, has_colour=False) == b"\x1b[1mbold\x1b[0m plain\n"


def test_what_utf_8_can_not_hold_is_replaced():
    assert to_bytes([row("a\ud800")], is_styled=False, has_colour=False) == b"a?\n"
