"""Why a value from outside cannot be used, as a part of a sentence in every language.

The texts are those of ``graphengine/messages/reasons.<language>.toml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphengine.errors import LANGUAGES, ByLanguage, render

if TYPE_CHECKING:
    from pydantic import ValidationError

_WHOLE_NUMBER, _NUMBER, _TEXT = "reason_whole_number", "reason_number", "reason_text"
_LIST, _OBJECT, _ONE_OF = "reason_list", "reason_object", "reason_one_of"
_CODES = {
    "missing": "reason_missing",
    "extra_forbidden": "reason_unknown",
    "unexpected_keyword_argument": "reason_unknown",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": "reason_boolean",
    "bool_parsing": "reason_boolean",
    "string_type": _TEXT,
    "path_type": _TEXT,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "json_invalid": "reason_json",
    "literal_error": _ONE_OF,
    "enum": _ONE_OF,
    "greater_than_equal": "reason_at_least",
    "greater_than": "reason_more_than",
    "less_than_equal": "reason_at_most",
    "less_than": "reason_less_than",
    "string_too_short": "reason_longer",
    "string_too_long": "reason_shorter",
    "too_short": "reason_more_items",
    "too_long": "reason_fewer_items",
    "byte_size": "reason_size",
    "byte_size_unit": "reason_size",
}


@dataclass(frozen=True)
class Finding:
    """One value that pydantic refused: where it stands ("nodes.0.type"), the value, and why."""

    place: str
    value: Any
    reason: ByLanguage

    @property
    def placed(self) -> ByLanguage:
        """The reason with the place before it."""
        return ByLanguage({key: f"{self.place}: {text}" for key, text in self.reason.items()})


class Unfit(ValueError):
    """What a validator of ours raises: the code of a reason, and what fills its text."""

    def __init__(self, code: str, **details: Any) -> None:
        self.reason = reason(code, **details)
        super().__init__(self.reason["en"])


def reason(code: str, **details: Any) -> ByLanguage:
    """The text of a code in every language."""
    return ByLanguage.each(lambda language: render(code, details, language)[0])


def one_of(choices: Any) -> ByLanguage:
    """One of these is expected."""
    return reason(_ONE_OF, expected=", ".join(map(str, choices)))


def findings(error: ValidationError) -> Iterator[Finding]:
    """What pydantic found wrong; in its own, English words where we have none."""
    for found in error.errors():
        told = _reason(found["type"], found.get("ctx", {}), found["msg"])
        yield Finding(".".join(map(str, found["loc"])), found["input"], told)


def _reason(kind: str, details: Mapping[str, Any], message: str) -> ByLanguage:
    ours = details.get("error")
    if isinstance(ours, Unfit):
        return ours.reason
    if kind not in _CODES:
        return ByLanguage(dict.fromkeys(LANGUAGES, message))
    if _CODES[kind] == _ONE_OF:
        # Pydantic makes an English sentence of the choices: 'a', 'b' or 'c'.
        choices = details["expected"].replace("' or '", "', '").replace("'", "")
        return reason(_ONE_OF, expected=choices)
    return reason(_CODES[kind], **details)
