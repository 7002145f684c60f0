"""``python -m mix2stan`` is the command line."""

from mix2stan.cli import main

main()
