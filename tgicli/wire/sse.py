"""One event to the bytes of a server-sent-events stream. Pure; reading them is httpx-sse's.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

COMMENT = b":\n\n"  # nothing for the reader; keeps proxies from closing an idle stream
DONE_EVENT = b"data: [DONE]\n\n"  # ends OpenAI's streams; some readers need the space

# Some clients split lines at these, as Python's str.splitlines does. In JSON they can only stand in
# a string, where an escape means the same.
_LINE_SEPARATORS = (
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
    ("\u0085".encode(), b"\\u0085"),
)


def encode_event(data: bytes) -> bytes:
    """Frame JSON, which has no line breaks, as one event."""
    for raw, escaped in _LINE_SEPARATORS:
        data = data.replace(raw, escaped)
    return b"data: " + data + b"\n\n"
