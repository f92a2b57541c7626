"""One account of the config file: its own keys, and the rules that hold between them."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.config import tables, values
from daemon.config.places import Surroundings
from daemon.config.tables import Findings, Key, KeyPath
from daemon.model.ids import ACCOUNT_ID_PATTERN
from daemon.model.settings import AccountSettings, ImapSettings, Pop3Settings, Tls

DEFAULT_PORTS: Final = {
    ("imap", Tls.IMPLICIT): 993,
    ("imap", Tls.STARTTLS): 143,
    ("imap", Tls.NONE): 143,
    ("pop3", Tls.IMPLICIT): 995,
    ("pop3", Tls.STARTTLS): 110,
    ("pop3", Tls.NONE): 110,
}

_OWN_KEYS: Final = {"imap": tables.IMAP_KEYS, "pop3": tables.POP3_KEYS}
_MODELS: Final[Mapping[str, type[ImapSettings | Pop3Settings]]] = {"imap": ImapSettings, "pop3": Pop3Settings}
_REQUIRED: Final = ("protocol", "host", "username")
_NAME_IN_MODEL: Final = {"poll_interval": "poll_interval_seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAccount:
    """What was read of one account: `settings` is None where there are findings; `maildir` where none was written.

    `is_placed` tells that it is known where its tree lies, whatever else is wrong.
    """

    id: str
    settings: ImapSettings | Pop3Settings | None = None
    maildir: Path | None = None
    is_placed: bool = False


def read_account(account: str, table: object, around: Surroundings, findings: Findings) -> ReadAccount:
    """The account's settings; findings where they cannot be had."""
    path = ("accounts", account)
    if not isinstance(table, dict):
        near = difflib.get_close_matches(account, tables.SHARED_KEYS, n=1)
        remedy = "put it into a table [accounts.ID]" if near else "write an account as a table [accounts.ID]"
        findings.add(path, f"is {values.kind_of(table)}, not an account", remedy)
        return ReadAccount(id=account)
    if not ACCOUNT_ID_PATTERN.match(account):
        findings.add(
            path,
            "is no account id",
            "use 1 to 32 of: lower-case letters, digits, - and _, such as [accounts.work]",
        )

    protocol = table.get("protocol")
    known = _known_keys(protocol)
    misplaced = {name for name in table if name not in known and name in _all_keys()}
    for name in misplaced:
        other = "POP3" if protocol == "imap" else "IMAP"
        findings.add((*path, name), f"is for {other} accounts only", "remove it, or correct protocol")
    kept = {name: value for name, value in table.items() if name not in misplaced}
    found = tables.read_table(kept, path, known, around, findings)

    for name in _REQUIRED:
        if name not in table:
            findings.add((*path, name), "is missing", f"add it: {known[name].form}")
    _check_password(table, path, findings)
    _check_tls(found, path, findings)
    maildir = found.get("maildir")
    return ReadAccount(
        id=account,
        settings=_composed(account, table, found, findings),
        maildir=maildir if isinstance(maildir, Path) else None,
        is_placed="maildir" in found or "maildir" not in table,
    )


def _known_keys(protocol: object) -> Mapping[str, Key]:
    """The keys of an account of this protocol; of both while the protocol itself is missing or wrong."""
    if isinstance(protocol, str) and protocol in _OWN_KEYS:
        return {**tables.SHARED_KEYS, **_OWN_KEYS[protocol]}
    return _all_keys()


def _all_keys() -> Mapping[str, Key]:
    return {**tables.SHARED_KEYS, **tables.IMAP_KEYS, **tables.POP3_KEYS}


def _check_password(table: Mapping[str, object], path: KeyPath, findings: Findings) -> None:
    sources = [name for name in table if name in tables.PASSWORD_KEYS]
    if not sources:
        choices = ", ".join(name for name in tables.PASSWORD_KEYS if name != "password_env")
        findings.add((*path, "password"), "no password source", f"add one of {choices}")
    elif len(sources) > 1:
        findings.add((*path, sources[1]), f"a second password source beside {sources[0]}", "keep exactly one")


def _check_tls(found: Mapping[str, object], path: KeyPath, findings: Findings) -> None:
    host = found.get("host")
    if found.get("tls") == Tls.NONE and isinstance(host, str) and not values.is_loopback(host):
        findings.add(
            (*path, "tls"),
            f'"none" would send the password to {host} for all to read',
            'write "implicit" or "starttls"; "none" is for this machine only',
        )


def _composed(
    account: str, table: Mapping[str, object], found: Mapping[str, object], findings: Findings
) -> ImapSettings | Pop3Settings | None:
    """The model's value of what was read; None where something it needs was not."""
    protocol, tls = found.get("protocol"), Tls(str(found.get("tls", Tls.IMPLICIT)))
    password = {
        name.removeprefix("password").removeprefix("_") or "literal": value
        for name, value in found.items()
        if name in tables.PASSWORD_KEYS
    }
    unread = [name for name in table if name in _known_keys(protocol) and name not in found]
    if not isinstance(protocol, str) or unread or len(password) != 1 or not found.keys() >= set(_REQUIRED):
        return None
    own = {
        _NAME_IN_MODEL.get(name, name): value
        for name, value in found.items()
        if name not in tables.PASSWORD_KEYS
    }
    own.setdefault("port", DEFAULT_PORTS[protocol, tls])
    return tables.validated(
        _MODELS[protocol],
        {**own, "id": account, "password": password},
        ("accounts", account),
        _known_keys(protocol),
        findings,
    )


def password_key_of(settings: AccountSettings) -> str:
    """The config key that the account's password comes from."""
    [source] = settings.password.model_dump(exclude_none=True)
    return "password" if source == "literal" else f"password_{source}"
