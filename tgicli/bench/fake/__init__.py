"""A server of known times, against which a client is checked."""
