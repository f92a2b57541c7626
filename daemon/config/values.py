"""Single values of the configuration: one TOML value in, one checked value out.

Each reader raises `Unfit` with what is wrong; what would be right stands with the key in `tables`. No reader shows
the value of a key that may hold a secret.
"""

import datetime as dt
import ipaddress
import math
import re
from typing import Final

SECONDS_OF_UNIT: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_DURATION_SECONDS: Final = 100 * 366 * 86_400

_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd])\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?\Z")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,254}\Z")
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}\Z")


class Unfit(ValueError):
    """A value that cannot be used; `remedy` where it is more than the form that the key asks for."""

    def __init__(self, problem: str, remedy: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def kind_of(value: object) -> str:
    """The TOML name of a value's type, with its article."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case dt.date() | dt.time():
            return "a date or time"
        case _:
            return "of another type"


def read_text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit(f"is {kind_of(value)}")
    if not value:
        raise Unfit("is empty")
    if any(char < " " or char == "\x7f" for char in value):
        raise Unfit("has a control character in it")
    return value


def read_secret(value: object) -> str:
    """Text in any characters; whether a server can take it is for `daemon.credentials` to say."""
    if not isinstance(value, str):
        raise Unfit(f"is {kind_of(value)}")
    if not value:
        raise Unfit("is empty")
    return value


def read_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"is {kind_of(value)}")
    return value


def read_whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(f"is {kind_of(value)}" if not isinstance(value, float) else "is not a whole number")
    return value


def read_share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unfit(f"is {kind_of(value)}")
    if not 0 < value <= 1:
        raise Unfit(f"{value} is not above 0 and at most 1")
    return float(value)


def read_port(value: object) -> int:
    number = read_whole_number(value)
    if not 1 <= number <= 65_535:
        raise Unfit(f"{number} is not a port")
    return number


def read_texts(value: object) -> tuple[str, ...]:
    """A list of texts, none of them empty."""
    if not isinstance(value, list):
        raise Unfit(f"is {kind_of(value)}")
    for number, item in enumerate(value, start=1):
        try:
            read_text(item)
        except Unfit as unfit:
            raise Unfit(f"entry {number} {unfit.problem}") from unfit
    return tuple(value)


def read_patterns(value: object) -> tuple[str, ...]:
    patterns = read_texts(value)
    if not patterns:
        raise Unfit("is empty", 'name at least one mailbox or pattern, or leave the key out for all ("*")')
    return patterns


def read_host(value: object) -> str:
    """A host name or address, without brackets."""
    text = read_text(value)
    if "://" in text:
        raise Unfit("is a URL", "write the host's name alone")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if is_address(bare):
        return bare
    if re.fullmatch(r"[^:]+:\d+", text):
        raise Unfit("has a port in it", "write the host's name alone and the number as port")
    try:
        wire = text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Unfit("is not a host name") from error
    if not _HOST.match(wire):
        raise Unfit("is not a host name")
    return text


def is_address(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 address in its usual form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def read_network(value: object) -> tuple[str, ...]:
    """Addresses and networks, such as `10.0.0.0/8`."""
    networks = read_texts(value)
    for text in networks:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise Unfit(f'"{text}" is no address or network') from error
    return networks


def read_host_names(value: object) -> tuple[str, ...]:
    """Host names, each with a port or without."""
    names = read_texts(value)
    for name in names:
        try:
            read_host(re.sub(r":[0-9]{1,5}\Z", "", name) if name.count(":") == 1 else name)
        except Unfit as unfit:
            raise Unfit(f'"{name}" {unfit.problem}', unfit.remedy) from unfit
    return names


def split_listen(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[address]:port`; port 0 lets the system choose."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise Unfit(f'"{text}" has no port', 'write it as "host:port", such as "127.0.0.1:8420"')
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    elif ":" in host:
        raise Unfit(f'"{text}" is not clear', f'write an IPv6 address in brackets: "[{host}]:{port}"')
    return host, int(port)


def read_duration(value: object) -> int:
    """Seconds of a text such as `30s`, `5m`, `2h` or `14d`."""
    if not isinstance(value, str):
        raise Unfit(f"is {kind_of(value)}")
    found = _DURATION.match(value)
    if found is None:
        raise Unfit("is no duration")
    seconds = int(found[1]) * SECONDS_OF_UNIT[found[2]]
    if seconds > LONGEST_DURATION_SECONDS:
        raise Unfit("is longer than a hundred years")
    return seconds


def read_poll_interval(value: object) -> int:
    seconds = read_duration(value)
    if seconds < 30:
        raise Unfit("is shorter than 30s", "many servers lock out who asks more often; write 30s or more")
    return seconds


def read_leave_on_server(value: object) -> bool | int:
    """True, False, or the seconds after which a message may go."""
    if isinstance(value, bool):
        return value
    seconds = read_duration(value)
    if seconds == 0:
        raise Unfit("is no time at all", "write false to remove each message once it is safely stored")
    return seconds


def read_credential_name(value: object) -> str:
    text = read_text(value)
    if not _CREDENTIAL.match(text):
        raise Unfit("is not the name of a credential")
    return text


def read_env_name(value: object) -> str:
    text = read_text(value)
    if not _ENV_NAME.match(text):
        raise Unfit(
            "is not the name of an environment variable"
        )  # shown nowhere: it may be the password itself
    return text
