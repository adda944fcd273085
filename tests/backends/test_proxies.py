"""Which servers have a proxy in the way."""

from __future__ import annotations

import pytest

from tgicli.backends.endpoint import Endpoint
from tgicli.backends.proxies import proxy_for

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_spared"),
    [
        ("", "http://far.example", False),
        ("example", "http://far.example", True),
        (".far.example, b", "http://far.example", True),
        ("FAR.example", "http://far.example", True),
        ("ar.example", "http://far.example", False),
        ("a,*", "http://far.example", True),
        ("far.example:8000", "http://far.example:8000", True),
        ("far.example:8000", "http://far.example:8001", False),
        ("far.example:8000", "http://a.FAR.example:8000", True),
        ("10.0.0.0/8", "http://10.1.2.3:8000", True),
        ("10.0.0.0/8", "http://11.1.2.3:8000", False),
        ("10.1.2.3", "http://10.1.2.3:8000", True),
        ("fe80::/10", "http://10.1.2.3:8000", False),
        ("fd00::/8", "http://[fd00::1]:8000", True),
        ("[fd00::1]", "http://[fd00::1]:8000", True),
        ("", "http://localhost:8000", True),
        ("", "unix:/run/x", True),
    ],
)
def test_no_proxy_is_read_as_everywhere(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, is_spared: bool
):
    monkeypatch.setenv("HTTP_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    found = proxy_for(Endpoint.from_url(url))

    assert found == (None if is_spared else "http://proxy:3128")


def test_a_proxy_is_for_its_scheme_or_for_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://one")
    monkeypatch.setenv("ALL_PROXY", "http://two")

    urls = ("https://far.example", "http://far.example")
    found = [proxy_for(Endpoint.from_url(url)) for url in urls]

    assert found == ["http://one", "http://two"]
