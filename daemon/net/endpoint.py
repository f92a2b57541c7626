"""Where a server is and how the line to it is made private. A value only; it opens nothing."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from daemon.model.settings import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One server. `ca_file` replaces the system's certificate authorities for it. With `is_foreign` the name comes from
    somebody who is not to reach everything that this machine can: see `dialling`.
    """

    host: str
    port: int
    tls: Tls
    ca_file: Path | None = None
    is_foreign: bool = False


def is_loopback(address: str) -> bool:
    """Whether an address literal (a scope such as `%lo` allowed) can only be this machine."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def is_link_local(address: str) -> bool:
    """Whether an address literal is of the link itself, where cloud machines are told their secrets, or no host's."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast
