"""Many prompts from a file: `tgicli generate --input`."""
