"""The command line: flags to calls, errors to exit statuses."""
