"""Starts the server as ComfyUI's is started: ``python main.py --listen 127.0.0.1 --port 8188 …``.

Test suites and scripts run ``main.py`` in their working directory: copy or link this file there.
It is ``graphengine serve``, which understands ComfyUI's flags.
"""

from __future__ import annotations

import sys

from graphengine.cli import main

sys.argv[1:1] = ["serve"]
main()
