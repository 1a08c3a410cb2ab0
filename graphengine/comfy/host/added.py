"""What a plugin adds to the server while it is imported: routes, and looks at what is sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import web

PromptHandler = Callable[[dict[str, Any]], dict[str, Any]]


class Added:
    """One plugin's additions; they go when the plugin is loaded anew.

    ``classes``: of nodes, put directly among all nodes' classes. ``web_folders``: of scripts,
    by the names under which they are served.
    """

    def __init__(self) -> None:
        self.prompt_handlers: list[PromptHandler] = []
        self.classes: dict[str, Any] = {}
        self.web_folders: dict[str, str] = {}

    @cached_property
    def routes(self) -> web.RouteTableDef:
        """Routes that are served as they are and below /api."""
        from aiohttp import web

        return web.RouteTableDef()

    @cached_property
    def app(self) -> web.Application:
        """What a plugin finds in the server's application's place; its router is asked later."""
        from aiohttp import web

        return web.Application()
