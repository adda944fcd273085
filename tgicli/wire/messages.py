"""A message in OpenAI's JSON, as requests and files of conversations hold it. Pure."""

from __future__ import annotations

from typing import Any

from tgicli.core import Message


def message_to_json(message: Message) -> dict[str, Any]:
    """Return the message's fields; those for tools only where it has them."""
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    return fields
