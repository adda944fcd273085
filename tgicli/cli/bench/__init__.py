"""`tgicli bench`: its options, the process that makes the load, and where the figures go."""
