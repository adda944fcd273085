"""Wire: bytes to core types and back. Pure: no I/O, no clock."""
