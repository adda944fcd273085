"""One prompt, and who answers it: `tgicli generate`."""
