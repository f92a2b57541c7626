"""Which of the two protocols fits: what the servers show and what a person wants in, a recommendation with its reasons out.

Pure. In plain words, for somebody who has never heard of either. POP3 fetches mail and hangs up; IMAP keeps both sides
the same. Where only one of the two answers there is nothing to choose, and that is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from daemon.model.advice import Advice, Protocol, Wants
from daemon.model.settings import Tls
from daemon.probe.looks import ImapLook, Pop3Look, Silence

_CLEARLY: Final = 4
_USUALLY: Final = 2
_SLIGHTLY: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose mail it is, for the config block: what is not known is left for them to fill in."""

    username: str | None = None
    password_command: tuple[str, ...] = ()


NOBODY: Final = Owner()


class _Scale:
    """Reasons on both sides, with their weights."""

    def __init__(self) -> None:
        self._weights: dict[Protocol, int] = {"imap": 0, "pop3": 0}
        self._reasons: dict[Protocol, list[str]] = {"imap": [], "pop3": []}

    def put(self, side: Protocol, weight: int, reason: str) -> None:
        self._weights[side] += weight
        self._reasons[side].append(reason)

    @property
    def heavier(self) -> Protocol:
        """IMAP where both weigh the same: it gives up nothing."""
        return "pop3" if self._weights["pop3"] > self._weights["imap"] else "imap"

    def reasons_for(self, side: Protocol) -> tuple[str, ...]:
        return tuple(self._reasons[side])


def advise(imap: ImapLook | Silence, pop3: Pop3Look | Silence, wants: Wants, owner: Owner = NOBODY) -> Advice:
    """The protocol that fits, why, what to look out for, and the config for it."""
    if isinstance(imap, Silence) and isinstance(pop3, Silence):
        return Advice(
            protocol=None,
            headline="No mail server answers there, over either protocol.",
            reasons=tuple(f"{where.host}:{where.port}: {why}" for where, why in (*imap.tried, *pop3.tried)),
            cautions=(
                "Look up the server's name and port in your provider's help pages, and try again with that name.",
            ),
        )
    if isinstance(pop3, Silence):
        assert isinstance(imap, ImapLook)  # noqa: S101 - for the type checker
        return _only_imap(imap, wants, owner)
    if isinstance(imap, Silence):
        return _only_pop3(pop3, wants, owner)
    scale = _Scale()
    _weigh_wants(scale, wants)
    _weigh_servers(scale, imap, pop3)
    chosen = scale.heavier
    if chosen == "imap":
        return Advice(
            protocol="imap",
            headline="Use IMAP: your mail stays on the server, and both sides are kept the same.",
            reasons=scale.reasons_for("imap"),
            cautions=(*_cautions_about_imap(imap, wants), *_other_side(scale, "pop3")),
            config=_imap_config(imap, owner),
        )
    return Advice(
        protocol="pop3",
        headline="Use POP3: mail is fetched to this machine, and nothing you do here touches the server.",
        reasons=scale.reasons_for("pop3"),
        cautions=(*_cautions_about_pop3(pop3, wants), *_other_side(scale, "imap")),
        config=_pop3_config(pop3, wants, owner),
    )


def _only_imap(imap: ImapLook, wants: Wants, owner: Owner) -> Advice:
    cautions = list(_cautions_about_imap(imap, wants))
    if wants.are_deletions_to_stay_local:
        cautions.append(
            "You want deletions to stay on this machine, which is what POP3 is for. With IMAP use "
            'delete = "trash", so that what you delete here is only moved to the trash there.'
        )
    return Advice(
        protocol="imap",
        headline="Use IMAP: the server offers nothing else.",
        reasons=("POP3 does not answer there.",),
        cautions=tuple(cautions),
        config=_imap_config(imap, owner),
    )


def _only_pop3(pop3: Pop3Look, wants: Wants, owner: Owner) -> Advice:
    cautions = list(_cautions_about_pop3(pop3, wants))
    if wants.has_several_devices:
        cautions.append(
            "What you read or delete here will not show on your other devices: that would need IMAP, which does not "
            "answer there. Some providers switch it on in their settings."
        )
    return Advice(
        protocol="pop3",
        headline="Use POP3: the server offers nothing else.",
        reasons=("IMAP does not answer there.",),
        cautions=tuple(cautions),
        config=_pop3_config(pop3, wants, owner),
    )


def _weigh_wants(scale: _Scale, wants: Wants) -> None:
    if wants.has_several_devices:
        scale.put(
            "imap",
            _CLEARLY,
            "You read mail on several devices: with IMAP each of them shows the same mail, read and unread, and "
            "what you delete on one is deleted on all.",
        )
    elif wants.has_several_devices is False:
        scale.put(
            "pop3", _SLIGHTLY, "You read mail on this machine only, so nothing else has to be kept the same."
        )
    if wants.is_server_to_be_emptied:
        scale.put(
            "pop3",
            _USUALLY,
            "You want the server kept empty: POP3 can remove each message there once it lies safely here.",
        )
    if wants.are_deletions_to_stay_local:
        scale.put(
            "pop3",
            _USUALLY,
            "You want what you delete here to stay on the server: with POP3 nothing you do here reaches it.",
        )
    elif wants.are_deletions_to_stay_local is False:
        scale.put("imap", _USUALLY, "You want what you delete here to be deleted on the server too.")
    if wants.is_line_slow:
        scale.put(
            "pop3",
            _SLIGHTLY,
            "Your line is slow or metered: POP3 fetches the inbox and nothing else, and is silent in between.",
        )


def _weigh_servers(scale: _Scale, imap: ImapLook, pop3: Pop3Look) -> None:
    if imap.has_notify or imap.has_idle:
        scale.put(
            "imap", _SLIGHTLY, "The server tells of new mail at once over IMAP; POP3 only finds it by asking."
        )
    if imap.contents is not None and imap.contents.mailboxes > 1:
        scale.put(
            "imap",
            _SLIGHTLY,
            f"There are {imap.contents.mailboxes:,} mailboxes; POP3 would show the inbox and none of the others.",
        )
    if pop3.has_uidl is False:
        scale.put(
            "imap",
            _CLEARLY,
            "Over POP3 the server gives messages no lasting names, so that each look costs far more, and mail could "
            "never be removed there.",
        )
    if pop3.expire_days is not None:
        scale.put(
            "imap", _SLIGHTLY, f"Over POP3 the server removes mail by itself: {_expiry(pop3.expire_days)}."
        )


def _other_side(scale: _Scale, side: Protocol) -> tuple[str, ...]:
    """What speaks for the other one, said openly."""
    name = "IMAP" if side == "imap" else "POP3"
    return tuple(f"Speaking for {name}: {reason}" for reason in scale.reasons_for(side))


def _cautions_about_imap(imap: ImapLook, wants: Wants) -> tuple[str, ...]:
    found: list[str] = []
    if wants.has_several_devices and wants.is_server_to_be_emptied:
        found.append(
            "Keeping the server empty would take the mail away from your other devices: both together cannot be had."
        )
    if not (imap.has_idle or imap.has_notify):
        found.append("The server does not tell of new mail by itself; it is asked once a minute.")
    if not imap.has_uidplus:
        found.append(
            "The server cannot remove single messages for good: what you delete here stays there, marked as deleted, "
            "until some other program clears it up."
        )
    if imap.login_error is not None:
        found.append(f"The login over IMAP was refused: {imap.login_error}")
    return tuple(found)


def _cautions_about_pop3(pop3: Pop3Look, wants: Wants) -> tuple[str, ...]:
    found = ["Only the inbox is fetched, and what you mark as read here stays unread elsewhere."]
    if wants.is_server_to_be_emptied:
        found.append("Once a message is removed there, the copy here is the only one: make backups of it.")
    if pop3.has_uidl is False:
        found.append("The server gives messages no lasting names: nothing will ever be removed there.")
    if pop3.expire_days is not None:
        found.append(f"The server removes mail by itself: {_expiry(pop3.expire_days)}.")
    if pop3.login_delay_seconds:
        found.append(f"The server wants at least {pop3.login_delay_seconds} seconds between two looks.")
    if pop3.login_error is not None:
        found.append(f"The login over POP3 was refused: {pop3.login_error}")
    return tuple(found)


def _expiry(days: int) -> str:
    return "as soon as it was fetched" if days == 0 else f"after {days} days"


def _imap_config(imap: ImapLook, owner: Owner) -> str:
    endpoint = imap.endpoint
    return _config("imap", endpoint.host, endpoint.port, endpoint.tls, owner)


def _pop3_config(pop3: Pop3Look, wants: Wants, owner: Owner) -> str:
    endpoint = pop3.endpoint
    leaves = "false   # removed there once it is stored here" if wants.is_server_to_be_emptied else "true"
    interval = max(300, pop3.login_delay_seconds or 0)
    minutes = -(-interval // 60)
    return (
        _config("pop3", endpoint.host, endpoint.port, endpoint.tls, owner)
        + f'\npoll_interval = "{minutes}m"\nleave_on_server = {leaves}'
    )


def _config(protocol: Protocol, host: str, port: int, tls: Tls, owner: Owner) -> str:
    """TOML. Host and user come from outside: quoted, with whatever could end the quotes escaped."""
    return "\n".join(
        (
            "[accounts.mail]",
            f'protocol = "{protocol}"',
            f"host = {_quoted(host)}",
            f"port = {port}",
            f'tls = "{tls.value}"',
            f"username = {_quoted(owner.username or 'me@example.org')}",
            _password(owner.password_command),
        )
    )


def _password(command: Sequence[str]) -> str:
    if command:
        return f"password_command = [{', '.join(map(_quoted, command))}]"
    return 'password_command = ["pass", "mail/me"]   # your own; or password_file = "/path"'


def _quoted(text: str) -> str:
    kept = "".join(char for char in text if char.isprintable())
    escaped = kept.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
