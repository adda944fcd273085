"""A model or another server over HTTP: `tgicli serve`."""
