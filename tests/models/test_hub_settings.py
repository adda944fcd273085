"""What the environment says about hubs: what can't be used is named, and no secret shown."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.models.hub_client import fetch, fetch_anew, running_client
from tests.models.hub_server import Repository
from tgicli.errors import ConfigError, Unreachable


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("HF_ENDPOINT", "hub", "HF_ENDPOINT is 'hub', and that is no address of a hub; write"),
        ("HF_ENDPOINT", "http://[::1", "HF_ENDPOINT is 'http://"),
        ("HF_ENDPOINT", "http://me:pa55@hub:abc", "HF_ENDPOINT is 'http://hub:abc'"),
        ("HF_ENDPOINT", "ftp://hub", "HF_ENDPOINT is 'ftp://hub'"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "soon", "HF_HUB_DOWNLOAD_TIMEOUT must be a whole number of"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "-1", "got '-1'"),
        ("HF_HUB_ETAG_TIMEOUT", "1.5", "HF_HUB_ETAG_TIMEOUT must be a whole number of seconds"),
        (
            "HF_TOKEN",
            "hf_pa55\u00e9",
            "the token in HF_TOKEN, .* has a character that no",
        ),
        ("HF_TOKEN", "hf_pa55 x", "the token in HF_TOKEN"),
        ("HTTP_PROXY", "http://me:pa55@proxy:abc", "HTTP_PROXY is 'http://proxy:abc', and that is"),
        ("HTTPS_PROXY", "ftp://me:pa55@proxy", "HTTPS_PROXY is 'ftp://proxy', and that is no add"),
        ("ALL_PROXY", "http://[::1", "ALL_PROXY is"),
        (
            "ALL_PROXY",
            "socks5://127.0.0.1:1",
            "SOCKS proxy, which needs .* `pip install socksio`",
        ),
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_FILE or SSL_CERT_DIR names: No such file"),
    ],
)
def test_what_can_not_be_used_is_named(
    client: ProcessPoolExecutor,
    name: str,
    repository: Repository,
    variable: str,
    value: str,
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        client.submit(fetch_anew, name, {variable: value}).result()

    assert "pa55" not in str(caught.value)


def test_a_file_without_certificates_is_named_so(
    client: ProcessPoolExecutor, name: str, repository: Repository, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")

    with pytest.raises(ConfigError, match="can't use the certificates that SSL_CERT_FILE or"):
        client.submit(fetch_anew, name, {"SSL_CERT_FILE": str(path)}).result()


def test_an_empty_variable_is_as_good_as_none(home: Path, name: str) -> None:
    environ = {
        "HF_ENDPOINT": "",
        "HF_HUB_ETAG_TIMEOUT": "",
        "HF_HOME": str(home),
        "HTTPS_PROXY": "http://127.0.0.1:1",  # so that the usual hub can't be asked
    }

    with (
        running_client(environ) as client,
        pytest.raises(
            Unreachable,
            match=r"can't reach https://.*: .*Connection refused; check the network, HF_END",
        ),
    ):
        client.submit(fetch, name).result()
