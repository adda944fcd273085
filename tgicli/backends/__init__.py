"""Backends: whoever answers. They satisfy core.Backend; only `cli` and tests import them."""
