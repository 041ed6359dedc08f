"""What `pat()` and `any()` test: globs, which no text can make slow, and lists of values."""

import re
from collections.abc import Callable, Iterable

from fleet_endpoints.values import same

Matcher = Callable[[str], bool]
"""Says whether a whole value matches."""

TOKEN = re.compile(
    r"""
      (?P<stars>\*+)
    | (?P<one>\?)
    | \[ (?P<negated>\^?) (?P<members>(?:\\.|[^\\\]])+) \]
    | \\ (?P<escaped>.)
    | (?P<plain>[^\[\\])
    """,
    re.DOTALL | re.VERBOSE,
)
MEMBER = re.compile(r"\\.|.", re.DOTALL)


def glob(pattern: str) -> Matcher:
    """Compile a glob into a function that tests whether a whole string matches.

    Its language is that of Go's filepath.Match (https://pkg.go.dev/path/filepath#Match): `*`, `?`,
    `[a-z]`, `[^a-z]`, and a backslash before a character that stands for itself. Slashes are left
    out on both sides, as gatus does. Raises `ValueError`.
    """
    bare = pattern.replace("/", "")
    if TOKEN.sub("", bare):
        raise ValueError(f"pat({pattern}) is not a pattern: a [ or a backslash stands alone")
    try:
        expression = re.compile(_join(_segments(bare)), re.DOTALL)
    except re.error as error:
        raise ValueError(f"pat({pattern}) is not a pattern: {error}") from None

    def matches(text: str) -> bool:
        return expression.fullmatch(text.replace("/", "")) is not None

    return matches


def _segments(glob: str) -> list[str]:
    """Return what stands before, between and after the stars, each as a regular expression."""
    segments = [""]
    for token in TOKEN.finditer(glob):
        if token["stars"]:
            segments.append("")
        else:
            segments[-1] += _character(token)
    return segments


def _character(token: re.Match[str]) -> str:
    """Return the regular expression for the one character that a token stands for."""
    if token["one"]:
        return "."
    if token["members"]:
        members = _members(token["members"])
        return f"[{token['negated']}{members}]"
    literal = token["escaped"] or token["plain"]
    return re.escape(literal)


def _members(text: str) -> str:
    """Write the members of a set for a regular expression: ranges stay, all else is escaped."""
    members = MEMBER.findall(text)
    written = []
    for position, member in enumerate(members):
        is_inside = 0 < position < len(members) - 1
        if member == "-" and is_inside:
            written.append(member)
        else:
            written.append(re.escape(member[-1]))
    return "".join(written)


def _join(segments: list[str]) -> str:
    """Put stars between segments.

    A star takes the first place where the next segment fits, and an atomic group, `(?>...)`, never
    gives that place up: with another star behind it, a later place matches nothing that the first
    does not. Only the last star must try other places, since its segment has to end the text.
    """
    first, *others = segments
    if not others:
        return first
    *inner, last = others
    between = "".join(f"(?>.*?{segment})" for segment in inner)
    return f"{first}{between}.*{last}"


def any_of(options: Iterable[str]) -> Matcher:
    """Return a function that tests whether a value is the same as one of the options."""
    stripped = [option.strip() for option in options]

    def matches(value: str) -> bool:
        return any(same(option, value) for option in stripped)

    return matches
