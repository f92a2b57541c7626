r"""Capabilities: what a server says it can do, asked by name and never by comparing strings.

ABNF: capa-resp = single-line *capability "." CRLF; capability = capa-tag *(SP param) (RFC 2449 §3, §5). LOGIN-DELAY and
EXPIRE: RFC 2449 §6.5, §6.7; AUTH-RESP-CODE: RFC 3206; UTF8: RFC 6856. Pure; a line that makes no sense is ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_MOST_DIGITS = 9
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class LoginDelay:
    """Seconds that must pass between logins. `is_per_user`: another number may hold once we are logged in."""

    seconds: int
    is_per_user: bool = False


@dataclass(frozen=True, slots=True)
class Expire:
    """Days until the server removes mail by itself: None for never, 0 for as soon as it was fetched."""

    days: int | None
    is_per_user: bool = False


class Capabilities:
    """An immutable set of capabilities with their parameters; empty until, or unless, the server has said them."""

    __slots__ = ("_parameters",)

    def __init__(self, lines: Iterable[str] = ()) -> None:
        parameters: dict[str, tuple[str, ...]] = {}
        for line in lines:
            name, *values = line.split() or [""]
            if name and len(parameters) < _MOST_NAMES:
                # a tag said twice adds parameters: some servers give one SASL line a mechanism
                parameters[name.upper()] = (*parameters.get(name.upper(), ()), *values)
        self._parameters = parameters

    def has(self, name: str) -> bool:
        """Whether `name` was said; letter case does not matter."""
        return name.upper() in self._parameters

    def parameters(self, name: str) -> tuple[str, ...]:
        """What stands behind `name`, as said."""
        return self._parameters.get(name.upper(), ())

    @property
    def names(self) -> frozenset[str]:
        """The names, in capitals."""
        return frozenset(self._parameters)

    @property
    def sasl_mechanisms(self) -> frozenset[str]:
        """Mechanisms for AUTH, in capitals."""
        return frozenset(name.upper() for name in self.parameters("SASL"))

    @property
    def implementation(self) -> str | None:
        """What the server says it is."""
        return " ".join(self.parameters("IMPLEMENTATION")) or None

    @property
    def login_delay(self) -> LoginDelay | None:
        """LOGIN-DELAY, None when not said."""
        seconds, is_per_user = self._number("LOGIN-DELAY")
        return None if seconds is None else LoginDelay(seconds, is_per_user)

    @property
    def expire(self) -> Expire | None:
        """EXPIRE, None when not said."""
        if "NEVER" in map(str.upper, self.parameters("EXPIRE")[:1]):
            return Expire(None, self._number("EXPIRE")[1])
        days, is_per_user = self._number("EXPIRE")
        return None if days is None else Expire(days, is_per_user)

    def _number(self, name: str) -> tuple[int | None, bool]:
        first, *rest = self.parameters(name) or ("",)
        is_number = first.isascii() and first.isdigit() and len(first) <= _MOST_DIGITS
        return (int(first) if is_number else None), "USER" in map(str.upper, rest)

    def __bool__(self) -> bool:
        return bool(self._parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Capabilities) and self._parameters == other._parameters

    def __hash__(self) -> int:
        return hash(frozenset(self._parameters.items()))

    def __repr__(self) -> str:
        return f"Capabilities({[' '.join((name, *values)) for name, values in self._parameters.items()]!r})"


def parse_capabilities(octets: bytes) -> Capabilities:
    """The lines of a CAPA answer; bytes that are not UTF-8 are kept as escapes."""
    return Capabilities(octets.decode("utf-8", "backslashreplace").replace("\r", "").split("\n"))
