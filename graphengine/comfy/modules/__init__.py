"""ComfyUI's modules by their names, as far as plugins use them; see `host.stand_ins`.

``HOSTS`` holds the host that the modules ask. There is one for a process, as there is one module
of a name.
"""

from __future__ import annotations

from graphengine.comfy.host.host import Host

HOSTS: list[Host] = []


def the_host() -> Host:
    """The host of the plugins in this process."""
    return HOSTS[0]
