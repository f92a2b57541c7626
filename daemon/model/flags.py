r"""Flags: system flags, keywords, and the Maildir letters of the former.

A flag is a system flag (`\Seen`), written with its backslash in the field's spelling, or a keyword without one
(RFC 9051 §2.3.2). `\Recent` and `\*` are never kept. Maildir letters: D draft, F flagged, P passed (the keyword
`$Forwarded`), R replied, S seen, T trashed.

Keywords compare without case (RFC 5788): each side writes one in a spelling of its own, which is no difference.
"""

from collections.abc import Iterable
from typing import Final, NewType

Flag = NewType("Flag", str)
FlagSet = frozenset[Flag]

SEEN: Final = Flag("\\Seen")
ANSWERED: Final = Flag("\\Answered")
FLAGGED: Final = Flag("\\Flagged")
DELETED: Final = Flag("\\Deleted")
DRAFT: Final = Flag("\\Draft")
FORWARDED: Final = Flag("$Forwarded")

NO_FLAGS: Final[FlagSet] = frozenset()
SYSTEM_FLAGS: Final[FlagSet] = frozenset({SEEN, ANSWERED, FLAGGED, DELETED, DRAFT})

LETTER_OF_FLAG: Final[dict[Flag, str]] = {
    DRAFT: "D",
    FLAGGED: "F",
    FORWARDED: "P",
    ANSWERED: "R",
    SEEN: "S",
    DELETED: "T",
}
FLAG_OF_LETTER: Final[dict[str, Flag]] = {letter: flag for flag, letter in LETTER_OF_FLAG.items()}
LETTER_FLAGS: Final[FlagSet] = frozenset(LETTER_OF_FLAG)
"""Flags with a Maildir letter of their own, whatever the keyword file says."""

_CANONICAL: Final = {flag.lower(): flag for flag in (*SYSTEM_FLAGS, FORWARDED)}
_NEVER_KEPT: Final = frozenset({"\\recent", "\\*"})
_FORBIDDEN_IN_ATOM: Final = frozenset('(){%*"\\] ')


def normalise_flags(raw: Iterable[str]) -> FlagSet:
    r"""Flags as we keep them: canonical spelling, without `\Recent` and `\*`."""
    return frozenset(
        _CANONICAL.get(text.lower(), Flag(text)) for text in raw if text and text.lower() not in _NEVER_KEPT
    )


def in_spelling_of(flags: FlagSet, known: FlagSet) -> FlagSet:
    """The same flags; those that `known` has in another spelling are written as they are there."""
    if flags <= known or flags <= LETTER_FLAGS:
        return flags
    spelling = {flag.lower(): flag for flag in known}
    return frozenset(spelling.get(flag.lower(), flag) for flag in flags)


def system_flag_named(text: str) -> Flag | None:
    r"""`\Seen` for `Seen`, however it is spelt: the system flag that somebody means who leaves out the backslash."""
    return None if text.startswith("\\") else _CANONICAL.get(f"\\{text.lower()}")


def is_valid_flag(text: str) -> bool:
    r"""Whether a client may ask for this flag: a system flag, or a keyword that is an atom."""
    if text.startswith("\\"):
        return text.lower() in _CANONICAL
    return 0 < len(text) <= 100 and all(
        " " < char < "\x7f" and char not in _FORBIDDEN_IN_ATOM for char in text
    )
