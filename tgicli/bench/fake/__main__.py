"""`python -m tgicli.bench.fake`."""

from __future__ import annotations

from tgicli.bench.fake.server import main

main()
