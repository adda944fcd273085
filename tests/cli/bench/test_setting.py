"""What is kept of a command line, so that two results can be held against each other."""

from __future__ import annotations

import pytest

from tests.cli.bench.conftest import Understood
from tgicli.cli.bench.jobs import Opened
from tgicli.cli.bench.setting import setting_of

SERVER = Opened(server="tgicli", model="m", chats=False, n_ctx=0, can_ignore_eos=True)


@pytest.mark.parametrize("slo", ["ttft:200,tpot:50", "tpot:50 ttft:200ms"])
def test_what_a_good_request_is_is_kept_in_one_order(understood: Understood, slo: str):
    setting = setting_of(understood("http://a", "--slo", slo), SERVER, ignores_eos=True)

    assert setting.options["slo"] == "tpot:50 ttft:200"


def test_where_nobody_says_what_a_good_request_is_nothing_is_kept(understood: Understood):
    assert setting_of(understood("http://a"), SERVER, ignores_eos=True).options["slo"] is None
