r"""Capabilities: what a server says it can do, asked by name and never by comparing strings.

ABNF: capability-data = "CAPABILITY" *(SP capability) SP "IMAP4rev1" ... (RFC 9051 §7.2.2). What one extension
brings with it is known here: QRESYNC means CONDSTORE and ENABLE (RFC 7162 §3.2), IMAP4rev2 means the extensions
folded into it (RFC 9051 appendix E). Servers of one kind say the same, so equal sets are one object: eight KiB less for
each further line.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

IMPLIED: Final[dict[str, frozenset[str]]] = {
    "QRESYNC": frozenset({"CONDSTORE", "ENABLE"}),
    "LITERAL+": frozenset({"LITERAL-"}),
    "IMAP4REV2": frozenset(
        {
            "ENABLE",
            "ESEARCH",
            "IDLE",
            "LIST-EXTENDED",
            "LIST-STATUS",
            "LITERAL-",
            "MOVE",
            "NAMESPACE",
            "SASL-IR",
            "SEARCHRES",
            "SPECIAL-USE",
            "STATUS=SIZE",
            "UIDPLUS",
            "UNSELECT",
        }
    ),
}
ENABLEABLE: Final = frozenset(
    {
        "CONDSTORE",
        "IMAP4REV2",
        "JMAPACCESS",
        "METADATA",
        "METADATA-SERVER",
        "QRESYNC",
        "UIDONLY",
        "UTF8=ACCEPT",
    }
)
"""What ENABLE may switch on; other names in ENABLED are a server's fancy and not kept."""

MOST_SHARED_BYTES: Final = 4096
"""Longer lists are no list of a decent server and not worth keeping."""

_DROPPED_SPACE: Final = {"LITERAL": "LITERAL+"}


class Capabilities:
    """An immutable set of capability names; empty until the server has said them."""

    __slots__ = ("_all", "_said")

    def __init__(self, names: Iterable[str] = ()) -> None:
        said: list[str] = []
        for name in names:
            upper = name.upper()
            # QUIRK MailKit#1654: `LITERAL +` with a space between
            if upper == "+" and said and said[-1] in _DROPPED_SPACE:
                said[-1] = _DROPPED_SPACE[said[-1]]
            elif upper:
                said.append(upper)
        self._said = frozenset(said)
        found = set(said)
        for name in said:
            found |= IMPLIED.get(name, frozenset())
        self._all = frozenset(found)

    def has(self, name: str) -> bool:
        """Whether `name` was said, or comes with what was said; letter case does not matter."""
        return name.upper() in self._all

    @property
    def names(self) -> frozenset[str]:
        """The names as said, in capitals."""
        return self._said

    @property
    def sasl_mechanisms(self) -> frozenset[str]:
        """Mechanisms named by AUTH=, in capitals."""
        return frozenset(name[5:] for name in self._said if name.startswith("AUTH="))

    @property
    def append_limit(self) -> int | None:
        """Largest message for APPEND (RFC 7889), None when not said."""
        for name in self._said:
            _, equals, number = name.partition("APPENDLIMIT=")
            if equals and number.isascii() and number.isdigit() and len(number) < 20:
                return int(number)
        return None

    def without(self, names: Iterable[str]) -> "Capabilities":
        """The same without `names`, for servers that promise what they do not keep."""
        gone = frozenset(name.upper() for name in names)
        return _without(self._said, gone) if gone & self._all else self

    def __bool__(self) -> bool:
        return bool(self._said)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Capabilities) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return f"Capabilities({sorted(self._said)!r})"


@lru_cache(maxsize=64)
def _without(said: frozenset[str], gone: frozenset[str]) -> Capabilities:
    new = Capabilities(said - gone)
    new._all -= gone  # noqa: SLF001 - our own class, past __init__
    return new


def parse_capabilities(raw: bytes) -> Capabilities:
    """ABNF: *(capability SP); trailing spaces and odd letter case are taken."""
    return _shared(raw) if len(raw) <= MOST_SHARED_BYTES else _parse(raw)


def _parse(raw: bytes) -> Capabilities:
    return Capabilities(name.decode("ascii", "backslashreplace") for name in raw.split())


_shared: Final = lru_cache(maxsize=64)(_parse)
