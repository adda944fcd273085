"""What a server says of itself."""

from __future__ import annotations

import json

from tgicli.wire.facts import encode_models


def test_adapters_are_listed_behind_their_model():
    listed = json.loads(encode_models("org/model", ("red", "blue")))

    assert listed["object"] == "list"
    assert [(card["id"], card["owned_by"]) for card in listed["data"]] == [
        ("org/model", "org/model"),
        ("red", "org/model"),
        ("blue", "org/model"),
    ]
