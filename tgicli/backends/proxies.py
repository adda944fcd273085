"""Which proxy leads to a server, as the environment says.

Used by `http`, once for each server. What stands in NO_PROXY is a name with all that end in it, an
address, or a network of addresses; httpx knows no networks, and fails on those of IPv6.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from tgicli.backends.endpoint import Endpoint


def proxy_for(endpoint: Endpoint) -> str | None:
    """Return the URL of the proxy; None: there is none in the way."""
    if endpoint.is_local:
        return None
    from urllib.request import getproxies

    named = getproxies()
    scheme, _, place = endpoint.shown.partition("://")
    proxy = named.get(scheme) or named.get("all")
    spared = (entry.strip().lower() for entry in named.get("no", "").split(","))
    if not proxy or any(_spares(entry, endpoint.host, place) for entry in spared if entry):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _spares(entry: str, host: str, place: str) -> bool:
    """Whether an entry of NO_PROXY means a host, or a place, which has a port, too."""
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # one of them is no address
        ends = f".{entry.lstrip('.')}"
        return entry == "*" or any(f".{one}".endswith(ends) for one in (host, place.lower()))
