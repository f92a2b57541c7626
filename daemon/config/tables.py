"""The tables of the config file: which keys each has, how each is read, and what form it asks for.

A test holds that these are exactly the settings of `model.settings`.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from daemon.config import places, values
from daemon.config.places import Surroundings
from daemon.config.values import Unfit
from daemon.model.errors import ConfigProblem

KeyPath: TypeAlias = tuple[str, ...]
Reader: TypeAlias = Callable[[object, Surroundings], object]
Model = TypeVar("Model", bound=BaseModel)

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+\Z")  # TOML 1.0, Keys


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its reader and the form a person is told to write."""

    read: Reader
    form: str


def _plain(read: Callable[[object], object]) -> Reader:
    """A reader for a value that names no place."""
    return lambda value, _around: read(value)


def _one_of(*words: str) -> Reader:
    def read(value: object) -> str:
        text = values.read_text(value)
        if text not in words:
            near = difflib.get_close_matches(text.lower(), words, n=1)
            raise Unfit(f'"{text}" is not known', f'did you mean "{near[0]}"?' if near else None)
        return text

    return _plain(read)


STORE_KEYS: Final[Mapping[str, Key]] = {
    "path": Key(places.read_path, 'a directory, such as "/var/lib/mailsyncd"'),
    "group": Key(_plain(values.read_text), 'the name of a group, such as "mail"'),
}

API_KEYS: Final[Mapping[str, Key]] = {
    "listen": Key(places.read_listen, 'a list of addresses, such as ["127.0.0.1:8420"], or [] for none'),
    "token_file": Key(places.read_path, 'a path, such as "/etc/mailsyncd/api-token"'),
    "hosts": Key(_plain(values.read_host_names), 'a list of host names, such as ["mail.example.com"]'),
    "tls_cert": Key(places.read_path, "the path of a PEM file with the certificate chain"),
    "tls_key": Key(places.read_path, "the path of a PEM file with the private key"),
    "behind_proxy": Key(_plain(values.read_switch), "true or false, without quotes"),
    "trusted_proxies": Key(
        _plain(values.read_network), 'a list of addresses or networks, such as ["127.0.0.1"]'
    ),
}

PASSWORD_KEYS: Final[Mapping[str, Key]] = {
    "password": Key(_plain(values.read_secret), "the password in quotes"),
    "password_command": Key(places.read_command, 'a list such as ["pass", "show", "mail"]'),
    "password_file": Key(places.read_path, "the path of a file that only its owner can read"),
    "password_credential": Key(
        _plain(values.read_credential_name), "the name of a systemd credential (letters, digits, - _ .)"
    ),
    "password_env": Key(_plain(values.read_env_name), "the name of an environment variable"),
}

SHARED_KEYS: Final[Mapping[str, Key]] = {
    "protocol": Key(_one_of("imap", "pop3"), '"imap" or "pop3"'),
    "host": Key(_plain(values.read_host), 'the server\'s name, such as "imap.example.com"'),
    "port": Key(_plain(values.read_port), "a number from 1 to 65535, such as 993"),
    "tls": Key(
        _one_of("implicit", "starttls", "none"), '"implicit" or "starttls" ("none" for loopback only)'
    ),
    "ca_file": Key(places.read_path, "the path of a PEM file with certificates"),
    "username": Key(_plain(values.read_text), 'the login name, such as "me@example.com"'),
    **PASSWORD_KEYS,
    "maildir": Key(places.read_path, 'a directory, such as "~/Mail/work"'),
    "layout": Key(_one_of("maildir++", "fs"), '"maildir++" or "fs"'),
}

IMAP_KEYS: Final[Mapping[str, Key]] = {
    "mailboxes": Key(
        _plain(values.read_patterns), 'a list of names or patterns, such as ["INBOX", "Lists/*"]'
    ),
    "exclude": Key(_plain(values.read_texts), 'a list of names or patterns, such as ["Spam"], or []'),
    "delete": Key(_one_of("expunge", "trash", "mark"), '"expunge", "trash" or "mark"'),
    "max_connections": Key(_plain(values.read_whole_number), "a number from 1 to 32, such as 4"),
    "deletion_limit": Key(_plain(values.read_share), "a share of a mailbox, such as 0.2"),
}

POP3_KEYS: Final[Mapping[str, Key]] = {
    "poll_interval": Key(_plain(values.read_poll_interval), 'a number with s, m, h or d, such as "5m"'),
    "leave_on_server": Key(
        _plain(values.read_leave_on_server), 'true, false, or a number with s, m, h or d, such as "14d"'
    ),
}

TOP_TABLES: Final = ("store", "api", "accounts")


class Findings:
    """The problems found so far in one file, put into its order at the end."""

    def __init__(self, file: Path, document: Mapping[str, object]) -> None:
        self._file = file
        self._found: list[tuple[int, ConfigProblem]] = []
        self._begin: dict[KeyPath, int] = {}
        self._end: dict[KeyPath, int] = {}
        self._number(document, ())

    def _number(self, table: Mapping[str, object], path: KeyPath) -> None:
        self._begin[path] = self._next()
        for name, value in table.items():
            if isinstance(value, dict):
                self._number(value, (*path, name))
            else:
                self._begin[*path, name] = self._next()
        self._end[path] = self._next()

    def _next(self) -> int:
        return len(self._begin) + len(self._end)

    def add(self, path: KeyPath, problem: str, remedy: str) -> None:
        """Note a problem; one with a key that is not in the file comes after the others of its table."""
        place = self._begin.get(path)
        parent = path
        while place is None:
            parent = parent[:-1]
            place = self._end.get(parent)
        self._found.append((place, ConfigProblem(self._file, name_of(path), problem, remedy)))

    def in_order(self) -> tuple[ConfigProblem, ...]:
        return tuple(problem for _, problem in sorted(self._found, key=lambda found: found[0]))


def name_of(path: KeyPath) -> str:
    """The dotted key; parts that TOML would not take bare are quoted, with everything odd escaped."""
    return ".".join(part if _BARE.match(part) else json.dumps(part) for part in path)


def read_table(
    table: Mapping[str, object],
    path: KeyPath,
    keys: Mapping[str, Key],
    around: Surroundings,
    findings: Findings,
) -> dict[str, object]:
    """The values that could be read; every other key is a finding."""
    found: dict[str, object] = {}
    for name, raw in table.items():
        key = keys.get(name)
        if key is None:
            findings.add((*path, name), *unknown_key(name, keys))
            continue
        try:
            found[name] = key.read(raw, around)
        except Unfit as unfit:
            findings.add((*path, name), unfit.problem, unfit.remedy or f"write {key.form}")
    return found


def unknown_key(name: str, known: Iterable[str]) -> tuple[str, str]:
    """Problem and remedy for a key that does not exist here; the nearest known one is named."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.55)
    remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
    return "no such key", remedy


def validated(
    model: type[Model],
    found: Mapping[str, object],
    path: KeyPath,
    keys: Mapping[str, Key],
    findings: Findings,
) -> Model | None:
    """The model's value, or None with findings where one of its bounds is not kept."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        for detail in error.errors(include_input=False, include_url=False, include_context=False):
            name = str(detail["loc"][0])
            form = f"write {keys[name].form}" if name in keys else "see config.example.toml"
            findings.add((*path, name), detail["msg"].lower(), form)
        return None
