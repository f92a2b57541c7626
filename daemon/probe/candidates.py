"""Where an address's mail may lie: host names and ports worth a knock. Pure; it guesses, the knock decides.

Ports in the order of RFC 8314: implicit TLS first, then STARTTLS; a line in clear is not tried, but on this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint, is_loopback

_IMAP_PORTS: Final = ((993, Tls.IMPLICIT), (143, Tls.STARTTLS))
_POP3_PORTS: Final = ((995, Tls.IMPLICIT), (110, Tls.STARTTLS))

_PROVIDERS: Final = {
    "aol.com": ("imap.aol.com", "pop.aol.com"),
    "gmail.com": ("imap.gmail.com", "pop.gmail.com"),
    "googlemail.com": ("imap.gmail.com", "pop.gmail.com"),
    "gmx.de": ("imap.gmx.net", "pop.gmx.net"),
    "gmx.net": ("imap.gmx.net", "pop.gmx.net"),
    "hotmail.com": ("outlook.office365.com", "outlook.office365.com"),
    "icloud.com": ("imap.mail.me.com", None),
    "live.com": ("outlook.office365.com", "outlook.office365.com"),
    "mac.com": ("imap.mail.me.com", None),
    "me.com": ("imap.mail.me.com", None),
    "outlook.com": ("outlook.office365.com", "outlook.office365.com"),
    "web.de": ("imap.web.de", "pop3.web.de"),
    "yahoo.com": ("imap.mail.yahoo.com", "pop.mail.yahoo.com"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Places to try, the likeliest first. `username` is the address, where one was given."""

    imap: tuple[Endpoint, ...]
    pop3: tuple[Endpoint, ...]
    username: str | None


def candidates_for(text: str, *, ports: Sequence[int] = (), is_foreign: bool = False) -> Candidates:
    """Places for `me@example.org`, or for the host `mail.example.org`; with `ports` those only, over either protocol.

    `is_foreign`: asked by somebody who is not to reach everything that this machine can.

    Raises ValueError, with a sentence for a person, for what is neither.
    """
    name = text.strip().rstrip(".")
    user, at, host = name.rpartition("@")
    if not host or (at and not user) or any(char.isspace() or not char.isprintable() for char in name):
        raise ValueError(
            f"{text!r} is neither an address nor a host name; write one such as me@example.org or mail.example.org"
        )
    alone, port = _split_port(name)
    if port is not None:
        raise ValueError(f"{text!r} names a port; write {alone} alone and the number as --port {port}")
    host = host.lower()
    imap_hosts: list[str] = [host]
    pop3_hosts: list[str] = [host]
    if at:
        known = _PROVIDERS.get(host)
        imap_hosts = [f"imap.{host}", f"mail.{host}", host]
        pop3_hosts = [f"pop.{host}", f"pop3.{host}", f"mail.{host}", host]
        if known is not None:
            imap_hosts = [known[0]]
            pop3_hosts = [known[1]] if known[1] is not None else []
    imap = _endpoints(imap_hosts, _IMAP_PORTS, ports)
    pop3 = _endpoints(pop3_hosts, _POP3_PORTS, ports)
    return Candidates(
        imap=tuple(replace(one, is_foreign=is_foreign) for one in imap),
        pop3=tuple(replace(one, is_foreign=is_foreign) for one in pop3),
        username=name if at else None,
    )


def _split_port(name: str) -> tuple[str, int | None]:
    """`mail.example.org:993` or `[::1]:993` in two; an IPv6 address without brackets has no port."""
    alone, _, digits = name.rpartition(":")
    is_one = alone.endswith("]") or (alone and ":" not in alone)
    if not is_one or not digits.isascii() or not digits.isdigit() or len(digits) > 5:
        return name, None
    return alone.strip("[]"), int(digits)


def _endpoints(
    hosts: list[str], usual: tuple[tuple[int, Tls], ...], ports: Sequence[int]
) -> tuple[Endpoint, ...]:
    if not ports:
        return tuple(Endpoint(host=host, port=number, tls=tls) for host in hosts for number, tls in usual)
    # By way first: a port that is silent in clear because it waits for TLS takes seconds to be known as none.
    return tuple(
        Endpoint(host=host, port=port, tls=tls)
        for host in hosts
        for tls in Tls
        for port in ports
        if tls in _ways(host, port, usual)
    )


def _ways(host: str, port: int, usual: tuple[tuple[int, Tls], ...]) -> list[Tls]:
    """How a line to this port may be made private; in clear on this machine only."""
    ways = [tls for number, tls in usual if number == port] or [Tls.IMPLICIT, Tls.STARTTLS]
    return [*ways, Tls.NONE] if host == "localhost" or is_loopback(host) else ways
