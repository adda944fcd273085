"""`python -m tgicli`."""

from tgicli.cli.app import main

main()
