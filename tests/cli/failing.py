"""A command that raises what a test puts here."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)
error: BaseException = AssertionError("no test has put its error here")


@app.command("fail")
def fail() -> None:
    """Fail."""
    secret = "open " + "sesame"
    raise error if secret else AssertionError
