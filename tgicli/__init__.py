"""tgicli: stream tokens from a local or remote model. Importing it loads nothing heavy."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
