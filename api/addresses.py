"""Where to listen: `host:port`, `[::1]:port` or `unix:/path` as values, and which of them are safe.

Pure. Hosts are addresses, or `localhost` (127.0.0.1): resolving a name would decide by DNS who may reach the mail.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TCP: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[^\[\]:/]+)):(?P<port>[0-9]{1,5})\Z")
MAX_SOCKET_PATH_BYTES: Final = 107  # sun_path has 108 with its NUL (unix(7))


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """An IP address and a port; port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a socket."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """The address; ValueError says what is wrong with it."""
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute():
            raise ValueError("the path of a socket must be absolute")
        if len(bytes(path)) > MAX_SOCKET_PATH_BYTES:
            raise ValueError(f"the path of a socket has at most {MAX_SOCKET_PATH_BYTES} bytes")
        return UnixAddress(path)
    match = _TCP.match(text)
    if match is None:
        raise ValueError("is not host:port, [::1]:port or unix:/path")
    port = int(match["port"])
    if port > 65535:
        raise ValueError("there is no such port")
    host = match["v6"] or match["v4"]
    if host.lower() == "localhost":
        host = "127.0.0.1"
    try:
        ip = ipaddress.ip_address(host)
    except ValueError as error:
        raise ValueError("the host must be an IP address or localhost") from error
    if (ip.version == 6) != (match["v6"] is not None):
        raise ValueError("only an IPv6 address is written in brackets")
    return TcpAddress(str(ip), port)
