from __future__ import annotations

from tests.ui.pty import PseudoTerminal
from tgicli.ui.held_status import HeldStatus


def test_nothing_is_painted_while_it_is_held() -> None:
    with PseudoTerminal() as pseudo:
        status = HeldStatus(pseudo.terminal)

        status.hold()
        status.show("loading 10%")
        assert not pseudo.received
        status.release()
        status.show("loading 20%")
        pseudo.wait_for("20%")

    assert b"10%" not in pseudo.received


def test_holding_it_takes_the_line_away() -> None:
    with PseudoTerminal() as pseudo:
        status = HeldStatus(pseudo.terminal)

        status.show("loading 10%")
        status.hold()

    assert b"10%" in pseudo.received
    assert pseudo.window.everything() == []
