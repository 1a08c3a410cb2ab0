"""Where settings come from: what is given, the environment, a file, in this order of precedence."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AliasChoices, ValidationError

from graphengine.reasons import findings
from graphengine.settings import PREFIX, Settings, SettingsError

SETTINGS_FILE = "graphengine.toml"
"""It lies in the base directory; its keys are named as settings or as options."""
_SEPARATORS = {"plugin_directories": os.pathsep, "extra_model_paths_config": os.pathsep}
"""How lists are separated in the environment; others by commas."""

S = TypeVar("S", bound=Settings)


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of every command; ``overrides`` win where they are not None.

    What a settings file says to the server alone is left out. Raises `SettingsError`.
    """
    return _load(Settings, environment, overrides, whole_file=False)


def load_settings_as(
    kind: type[S], environment: Mapping[str, str] | None = None, **overrides: Any
) -> S:
    """As `load_settings`, for settings that hold more; the file may hold nothing unknown."""
    return _load(kind, environment, overrides, whole_file=True)


def names_of(kind: type[Settings], field: str) -> tuple[str, ...]:
    """What a setting is called: its own name, and that of its option where that differs."""
    alias = kind.model_fields[field].validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (field,)


def _load(
    kind: type[S],
    environment: Mapping[str, str] | None,
    overrides: Mapping[str, Any],
    *,
    whole_file: bool,
) -> S:
    given = {name: value for name, value in overrides.items() if value is not None}
    variables = _from_environment(kind, os.environ if environment is None else environment)
    base = Path(given.get("base_directory") or variables.get("base_directory") or Path.cwd())
    file = base / SETTINGS_FILE
    written = _from_file(kind, file, whole_file=whole_file)
    try:
        return kind(**{**written, **variables, **given})
    except ValidationError as error:
        first = next(findings(error))
        where = _where(first.place.partition(".")[0], given, variables, file)
        raise SettingsError(
            "bad_setting", variable=where, got=first.value, cause=first.reason
        ) from error


def _from_environment(kind: type[Settings], environment: Mapping[str, str]) -> dict[str, Any]:
    """By field; an empty variable counts as unset."""
    found: dict[str, Any] = {}
    for field, info in kind.model_fields.items():
        variables = (PREFIX + name.upper() for name in names_of(kind, field))
        text = next((environment[name] for name in variables if environment.get(name)), None)
        if text is not None:
            is_list = "tuple[" in str(info.annotation)
            found[field] = text.split(_SEPARATORS.get(field, ",")) if is_list else text
    return found


def _from_file(kind: type[Settings], file: Path, *, whole_file: bool) -> dict[str, Any]:
    if not file.is_file():
        return {}
    fields = {name: field for field in kind.model_fields for name in names_of(kind, field)}
    found: dict[str, Any] = {}
    for key, value in _toml(file).items():
        field = fields.get(key.replace("-", "_"))
        if field is not None:
            found[field] = value
        elif whole_file:
            known = ", ".join(sorted(fields))
            raise SettingsError("unknown_setting", file=str(file), name=key, known=known)
    return found


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError("bad_settings_file", file=str(file), cause=str(error)) from error


def _where(field: str, given: Mapping[str, Any], variables: Mapping[str, Any], file: Path) -> str:
    """How to name a setting to the person who set it."""
    if field in given:
        return field
    return PREFIX + field.upper() if field in variables else f"{field} ({file})"
