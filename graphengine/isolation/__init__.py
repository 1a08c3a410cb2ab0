"""Plugins in a process and a virtual environment of their own (``isolated = true``).

The engine's side gets the nodes' specs and calls them like any others; whatever happens to the
process (a crash, an endless loop that is cancelled, an exit) fails the node that was running, and
the next call starts it again. Tensors cross in sealed shared memory, everything else as values of a
few known classes, so that a plugin cannot run code on the engine's side.
"""
