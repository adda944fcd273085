"""Which file is meant: a name on the command line to a GGUF file on disk. No llama.cpp here."""
