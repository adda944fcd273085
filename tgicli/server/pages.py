"""The two pages for people, with a policy that lets nothing run but what is in them.

Read once each, on the event loop. They hold nothing that is not public, so they need no key: a
browser can't send one with an address.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from importlib.resources import files

from starlette.responses import HTMLResponse, Response

_INLINE = re.compile(rb"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL)


def page(name: str) -> Response:
    """Return the answer that is a page."""
    content, policy = _read(name)
    return HTMLResponse(
        content,
        headers={
            "content-security-policy": policy,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        },
    )


@functools.cache
def _read(name: str) -> tuple[bytes, str]:
    content = files("tgicli.server").joinpath("static", name).read_bytes()
    return content, _policy(content)


def _policy(content: bytes) -> str:
    """Return a policy that names the page's own scripts and styles by their hashes."""
    hashes: dict[bytes, list[str]] = {b"script": [], b"style": []}
    for kind, text in _INLINE.findall(content):
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(hashes[b'script'])}",
            f"style-src {' '.join(hashes[b'style'])}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
