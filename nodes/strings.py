"""Texts joined, cut and searched."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from graphengine.api import Bool, Choice, Help, InputError, Int, Text, node

# Some expressions take time that grows exponentially with the text.
_REGEX_TIMEOUT_S = 10

_STRING = Text(multiline=True, help="The text to work on.")


class StringSize(NamedTuple):
    length: Annotated[int, Help("How many characters it has.")]


@node("StringConcatenate", title="Concatenate", category="utils/string", search=("join",))
def concatenate(
    string_a: Annotated[str, Text(multiline=True, help="The text that comes first.")],
    string_b: Annotated[str, Text(multiline=True, help="The text that follows.")],
    delimiter: Annotated[str, Text(help="What stands between them.")] = "",
) -> str:
    """Put two texts together."""
    return delimiter.join((string_a, string_b))


@node("StringReplace", title="Replace", category="utils/string", search=("substitute",))
def replace(
    string: Annotated[str, _STRING],
    find: Annotated[str, Text(multiline=True, help="What is looked for, letter by letter.")],
    replace: Annotated[str, Text(multiline=True, help="What is put in its place.")],
) -> str:
    """Replace every occurrence of a text."""
    return string.replace(find, replace)


@node("StringSubstring", title="Substring", category="utils/string", search=("cut", "slice"))
def substring(
    string: Annotated[str, _STRING],
    start: Annotated[
        int, Int(help="The first character; 0 = first, negative counts from the end.")
    ],
    end: Annotated[int, Int(help="The character before which it ends; negative as well.")],
) -> str:
    """Take a part of a text."""
    return string[start:end]


@node("StringLength", title="Length", category="utils/string", search=("count",))
def length(string: Annotated[str, _STRING]) -> StringSize:
    """Count the characters of a text."""
    return StringSize(len(string))


@node("StringTrim", title="Trim", category="utils/string", search=("strip",))
def trim(
    string: Annotated[str, _STRING],
    mode: Annotated[Literal["Both", "Left", "Right"], Choice(help="At which end of the text.")],
) -> str:
    """Take white space away from the ends of a text."""
    ends = {"Both": string.strip, "Left": string.lstrip, "Right": string.rstrip}
    return ends[mode]()


@node("RegexReplace", title="Regex Replace", category="utils/string", search=("substitute",))
def regex_replace(
    *,
    string: Annotated[str, _STRING],
    regex_pattern: Annotated[str, Text(multiline=True, help="A Python regular expression.")],
    replace: Annotated[
        str, Text(multiline=True, help=r"What is put in its place; \1, \2, … are groups.")
    ],
    case_insensitive: Annotated[bool, Bool(optional=True, help="Treat A and a alike.")] = True,
    multiline: Annotated[
        bool, Bool(optional=True, help="Let ^ and $ match at every line.")
    ] = False,
    dotall: Annotated[bool, Bool(optional=True, help="Let the dot match line breaks.")] = False,
    count: Annotated[int, Int(ge=0, le=100, optional=True, help="At most so many; 0 = all.")] = 0,
) -> str:
    """Replace what a regular expression matches."""
    import regex

    wanted = {regex.I: case_insensitive, regex.M: multiline, regex.S: dotall}
    flags = sum(flag for flag, is_on in wanted.items() if is_on)
    try:
        changed: str = regex.sub(
            regex_pattern, replace, string, count=count, flags=flags, timeout=_REGEX_TIMEOUT_S
        )
    except (regex.error, IndexError) as error:
        raise InputError("bad_regex", pattern=regex_pattern, cause=error) from error
    except TimeoutError as error:
        raise InputError("slow_regex", pattern=regex_pattern, limit_s=_REGEX_TIMEOUT_S) from error
    return changed
