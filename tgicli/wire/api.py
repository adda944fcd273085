"""The dialects of remote servers, by the names that users choose from."""

from __future__ import annotations

import enum


class Api(enum.StrEnum):
    """A dialect."""

    TGI = "tgi"
    OPENAI_CHAT = "openai-chat"
    OPENAI_COMPLETIONS = "openai-completions"
