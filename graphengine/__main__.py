"""``python -m graphengine``: the command line."""

import sys

try:
    from graphengine.cli import main
except KeyboardInterrupt:  # importing takes longer than many a command
    sys.exit(130)

main()
