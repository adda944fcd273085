"""Ask llama-server for token ids. Used by equality.py."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from server_process import ServerProcess


class CompletionServer(ServerProcess):
    """llama-server for the length of a block."""

    def token_ids(self, prompt: str, *, n_new: int) -> list[int]:
        """Return the ids of a greedy answer, computed from an empty cache."""
        answer = self._call(
            "/completion",
            {
                "prompt": prompt,
                "n_predict": n_new,
                "temperature": 0,
                "cache_prompt": False,
                "return_tokens": True,
            },
        )
        return [int(token_id) for token_id in answer["tokens"]]

    def _call(self, route: str, body: dict[str, object]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}{route}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            answer: dict[str, Any] = json.load(response)
        return answer
