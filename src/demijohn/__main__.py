"""`python -m demijohn` is `demijohn`."""

from demijohn.cli import main

main()
