"""A conversation on a terminal or a pipe: `tgicli chat`."""
