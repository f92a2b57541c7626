"""Values of the configuration that name a place on this machine: paths, commands and addresses to answer at.

`~` and `$XDG_…` are expanded, other relative paths are relative to the config file (decision 16). Nothing is looked
up on the disk.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.config import values
from daemon.config.values import Unfit

UNIX_PATH_LIMIT_BYTES: Final = 107  # sun_path of unix(7) has 108 with its NUL

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_XDG_DEFAULTS: Final = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What paths are relative to: the directory of the config file, the home directory and the environment."""

    directory: Path
    home: Path
    env: Mapping[str, str]


def read_command(value: object, around: Surroundings) -> tuple[str, ...]:
    """An argument list; its first entry may begin with `~` or `$XDG_…`. Nothing of it is shown in errors."""
    if isinstance(value, str):
        raise Unfit(
            "is text, and no shell is run",
            'write a list with one entry for each word, such as ["pass", "show", "mail"]',
        )
    arguments = values.read_texts(value)
    if not arguments:
        raise Unfit("is empty")
    program = arguments[0]
    if program.startswith(("~", "$")):
        program = str(_expand(program, around))
    return (program, *arguments[1:])


def read_path(value: object, around: Surroundings) -> Path:
    """An absolute path: `~` and `$XDG_…` expanded, anything else relative to the config file's directory."""
    return _expand(values.read_text(value), around)


def _expand(text: str, around: Surroundings) -> Path:
    def variable(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if not name.startswith("XDG_"):
            raise Unfit(f"${name} is not expanded", "only ~ and $XDG_… are; write the path out")
        if named := around.env.get(name):
            return named
        if name in _XDG_DEFAULTS:
            return str(around.home / _XDG_DEFAULTS[name])
        raise Unfit(f"${name} is not set here", "write the path out")

    expanded = _VARIABLE.sub(variable, text)
    if expanded == "~" or expanded.startswith("~/"):
        expanded = f"{around.home}{expanded[1:]}"
    elif expanded.startswith("~"):
        raise Unfit("begins with ~ and a name", "only ~/ is expanded; write the path out")
    return Path(os.path.normpath(around.directory / expanded))


def read_listen(value: object, around: Surroundings) -> tuple[str, ...]:
    """Addresses to answer at, each `host:port`, `[address]:port` or `unix:/path`, paths made absolute."""
    if isinstance(value, str):
        raise Unfit("is text", f'write a list, such as ["{value}"]')
    listen = tuple(_read_address(text, around) for text in values.read_texts(value))
    if repeated := [text for number, text in enumerate(listen) if text in listen[:number]]:
        raise Unfit(f'"{repeated[0]}" stands there twice', "name each address once")
    return listen


def _read_address(text: str, around: Surroundings) -> str:
    if text.startswith("unix:"):
        path = _expand(text.removeprefix("unix:"), around)
        if len(os.fsencode(path)) > UNIX_PATH_LIMIT_BYTES:
            raise Unfit(f'"{text}" is longer than {UNIX_PATH_LIMIT_BYTES} bytes', "choose a shorter path")
        return f"unix:{path}"
    host, port = values.split_listen(text)
    if not host:
        raise Unfit(
            f'"{text}" has no host', f'write "127.0.0.1:{port}", or "0.0.0.0:{port}" for all addresses'
        )
    if host.lower() != "localhost" and not values.is_address(host):
        # A name would leave it to DNS who may reach the mail.
        raise Unfit(f'"{text}" names no address', 'write an IP address, such as "127.0.0.1", or "localhost"')
    return text
