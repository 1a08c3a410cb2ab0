"""Names that resemble one which was not found."""

from __future__ import annotations

from collections.abc import Iterable

from graphengine.errors import NONE

LONGEST_NAME = 120


def nearest(name: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Up to ``limit`` of ``names`` that resemble ``name``, best first; case does not count."""
    import difflib

    by_lower_case = {other.lower(): other for other in names}
    close = difflib.get_close_matches(
        name[:LONGEST_NAME].lower(), by_lower_case, n=limit, cutoff=0.55
    )
    return tuple(by_lower_case[match] for match in close)


def listed(names: Iterable[str]) -> str:
    """The names for a message: ``"a", "b"``; a dash if there are none."""
    return ", ".join(f'"{name}"' for name in names) or NONE
