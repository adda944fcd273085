"""A result as a page: charts and tables in one file."""
