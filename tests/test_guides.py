"""The guides in docs/: both languages say the same, name every route, and lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from graphengine.server import app, logs, metrics, system
from graphengine.server.settings import ServerSettings
from graphengine.setting_sources import names_of

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = ("getting-started.md", "eight-settings.md", "http-api.md", "deployment.md")


def text_of(language: str, guide: str) -> str:
    return (DOCS / language / guide).read_text(encoding="utf-8")


def blocks(text: str, kind: str = r"\w+") -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("guide", GUIDES)
def test_both_languages_show_the_same_code(guide: str) -> None:
    assert blocks(text_of("en", guide)) == blocks(text_of("ja", guide))
    assert text_of("en", guide).count("\n## ") == text_of("ja", guide).count("\n## ")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_route_of_comfyuis_protocol_is_named(language: str) -> None:
    text = text_of(language, "http-api.md")
    tables = (*app.TWICE, system.internal_routes, logs.routes, metrics.routes)
    routes = {
        f"{route.method} {re.sub(r':[^}]*', '', route.path)}"  # type: ignore[attr-defined]
        for table in tables
        for route in table
    }

    assert [route for route in sorted(routes - {"GET /"}) if f"`{route}`" not in text] == []


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("guide", GUIDES)
def test_links_of_guides_lead_somewhere(language: str, guide: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", text_of(language, guide)):
        assert (DOCS / language / target).exists(), target


def test_the_settings_that_guides_show_are_settings() -> None:
    names = {n for field in ServerSettings.model_fields for n in names_of(ServerSettings, field)}

    for block in blocks(text_of("en", "deployment.md"), "toml"):
        assert set(tomllib.loads(block)) <= names
        ServerSettings(**tomllib.loads(block))
