"""``python -m graphengine``: the command line."""

from graphengine.cli import main

main()
