"""graphengine: evaluates typed node graphs that make pictures."""

__version__ = "0.1.0"
