"""A block for the config file: one account, as TOML that the service takes as it is. Pure.

Names come from outside: they are quoted, with whatever could end the quotes escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.model.advice import Protocol, Wants
from daemon.net.endpoint import Endpoint
from daemon.probe.looks import ImapLook, Pop3Look

_POLL_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose mail it is: what is not known is left for them to fill in."""

    username: str | None = None
    password_command: tuple[str, ...] = ()


def imap_block(imap: ImapLook, wants: Wants, owner: Owner) -> str:
    """The account over IMAP; a deletion is moved to the trash where it is not to be for good."""
    lines = _common("imap", imap.endpoint, owner)
    if wants.are_deletions_to_stay_local:
        lines.append('delete = "trash"   # what is deleted here is moved to the trash there')
    return "\n".join(lines)


def pop3_block(pop3: Pop3Look, wants: Wants, owner: Owner) -> str:
    """The account over POP3, asked no more often than the server wants."""
    delay = pop3.login_delay.seconds if pop3.login_delay is not None else 0
    minutes = -(-max(_POLL_SECONDS, delay) // 60)
    is_emptied = wants.is_server_to_be_emptied and pop3.has_uidl is not False
    leaves = "false   # removed there once it is stored here" if is_emptied else "true"
    lines = _common("pop3", pop3.endpoint, owner)
    return "\n".join((*lines, f'poll_interval = "{minutes}m"', f"leave_on_server = {leaves}"))


def _common(protocol: Protocol, endpoint: Endpoint, owner: Owner) -> list[str]:
    name = owner.username
    return [
        "[accounts.mail]",
        f'protocol = "{protocol}"',
        f"host = {_quoted(endpoint.host)}",
        f"port = {endpoint.port}",
        f'tls = "{endpoint.tls.value}"',
        f"username = {_quoted(name)}" if name else 'username = "me@example.org"   # yours',
        _password(owner.password_command),
    ]


def _password(command: Sequence[str]) -> str:
    if command:
        return f"password_command = [{', '.join(map(_quoted, command))}]"
    return (
        'password_command = ["pass", "show", "mail"]   # a program that prints your password; '
        'or password_file = "/path"'
    )


def _quoted(text: str) -> str:
    kept = "".join(char for char in text if char.isprintable())
    escaped = kept.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
