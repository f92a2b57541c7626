"""Which of the two protocols fits: what the servers show and what a person wants in, a recommendation with its reasons out.

Pure. In plain words, for somebody who has never heard of either. POP3 fetches mail and hangs up; IMAP keeps both sides
the same. Where only one of the two answers there is nothing to choose, and that is said; what it cannot do is said too.
"""

from typing import Final

from daemon.model.advice import Advice, Protocol, Wants
from daemon.probe.blocks import Owner, imap_block, pop3_block
from daemon.probe.facts import expiry, span
from daemon.probe.looks import ImapLook, Pop3Look, Silence
from daemon.probe.wishes import unmet_by_imap, unmet_by_pop3

_DECISIVE: Final = 20
_CLEARLY: Final = 4
_USUALLY: Final = 2
_SLIGHTLY: Final = 1

NOBODY: Final = Owner()

_IMAP_HEADLINE: Final = "Use IMAP: your mail stays on the server, and both sides are kept the same."
_POP3_HEADLINE: Final = (
    "Use POP3: mail is fetched to this machine, and nothing you do here touches the server."
)
_ONLY_IMAP: Final = "Use IMAP, the only one that this server offers: both sides are kept the same."
_ONLY_POP3: Final = (
    "Use POP3, the only one that this server offers: mail is fetched to this machine and no more."
)
_NEITHER: Final = "Nothing you said speaks for POP3, and with IMAP nothing is given up."


class _Scale:
    """Reasons on both sides, with their weights."""

    def __init__(self) -> None:
        self._weights: dict[Protocol, int] = {"imap": 0, "pop3": 0}
        self._reasons: dict[Protocol, list[str]] = {"imap": [], "pop3": []}
        self._answered: set[str] = set()

    def put(self, side: Protocol, weight: int, reason: str, *, is_answered: bool = False) -> None:
        """`is_answered`: should the other side win, it has a word of its own on this, which is enough."""
        self._weights[side] += weight
        self._reasons[side].append(reason)
        if is_answered:
            self._answered.add(reason)

    @property
    def heavier(self) -> Protocol:
        """IMAP where both weigh the same: it gives up nothing."""
        return "pop3" if self._weights["pop3"] > self._weights["imap"] else "imap"

    def reasons_for(self, side: Protocol) -> tuple[str, ...]:
        return tuple(self._reasons[side])

    def against(self, side: Protocol) -> tuple[str, ...]:
        """What speaks for the other one, said openly."""
        other: Protocol = "pop3" if side == "imap" else "imap"
        said = [reason for reason in self._reasons[other] if reason not in self._answered]
        return tuple(f"Speaking for {other.upper()}: {reason}" for reason in said)


def advise(imap: ImapLook | Silence, pop3: Pop3Look | Silence, wants: Wants, owner: Owner = NOBODY) -> Advice:
    """The protocol that fits, why, what to look out for, and the config for it."""
    scale = _Scale()
    _weigh_wants(scale, wants, pop3)
    if isinstance(imap, Silence):
        if isinstance(pop3, Silence):
            return _none(imap, pop3)
        reasons = ("IMAP does not answer there.", *scale.reasons_for("pop3"))
        return _pop3(pop3, None, wants, owner, reasons=reasons)
    if isinstance(pop3, Silence):
        reasons = ("POP3 does not answer there.", *scale.reasons_for("imap"))
        return _imap(imap, None, wants, owner, reasons=reasons)
    _weigh_servers(scale, imap, pop3)
    chosen = scale.heavier
    reasons, other = scale.reasons_for(chosen), scale.against(chosen)
    if chosen == "imap":
        return _imap(imap, pop3, wants, owner, reasons=reasons, other=other)
    return _pop3(pop3, imap, wants, owner, reasons=reasons, other=other)


def _none(imap: Silence, pop3: Silence) -> Advice:
    return Advice(
        protocol=None,
        headline="No mail server answers there, over either protocol.",
        reasons=tuple(f"{where.host}:{where.port}: {why}" for where, why in (*imap.tried, *pop3.tried)),
        cautions=(
            "Look up the server's name and port in your provider's help pages, and try again with that name.",
        ),
    )


def _imap(
    imap: ImapLook,
    pop3: Pop3Look | None,
    wants: Wants,
    owner: Owner,
    *,
    reasons: tuple[str, ...],
    other: tuple[str, ...] = (),
) -> Advice:
    """IMAP; `pop3` is None where that does not answer, `other` what speaks for it."""
    return Advice(
        protocol="imap",
        headline=_ONLY_IMAP if pop3 is None else _IMAP_HEADLINE,
        reasons=reasons or (_NEITHER,),
        cautions=(*unmet_by_imap(wants, pop3), *_cautions_about_imap(imap), *other),
        config=imap_block(imap, wants, owner),
    )


def _pop3(
    pop3: Pop3Look,
    imap: ImapLook | None,
    wants: Wants,
    owner: Owner,
    *,
    reasons: tuple[str, ...],
    other: tuple[str, ...] = (),
) -> Advice:
    """POP3; `imap` is None where that does not answer, `other` what speaks for it."""
    unmet = unmet_by_pop3(pop3, wants, has_imap=imap is not None)
    return Advice(
        protocol="pop3",
        headline=_ONLY_POP3 if imap is None else _POP3_HEADLINE,
        reasons=reasons,
        cautions=(*unmet, *_cautions_about_pop3(pop3, wants), *other),
        config=pop3_block(pop3, wants, owner),
    )


def _weigh_wants(scale: _Scale, wants: Wants, pop3: Pop3Look | Silence) -> None:
    if wants.has_several_devices:
        scale.put(
            "imap",
            _CLEARLY,
            "You read mail on several devices: with IMAP each of them shows the same mail, read and unread, and "
            "what you delete on one is deleted on all.",
            is_answered=True,
        )
    elif wants.has_several_devices is False:
        scale.put(
            "pop3", _SLIGHTLY, "You read mail on this machine only, so nothing else has to be kept the same."
        )
    if wants.is_server_to_be_emptied and not (isinstance(pop3, Pop3Look) and pop3.has_uidl is False):
        scale.put(
            "pop3",
            _USUALLY,
            "You want the server kept empty: POP3 can remove each message there once it lies safely here.",
            is_answered=True,
        )
    if wants.are_deletions_to_stay_local:
        scale.put(
            "pop3",
            _USUALLY,
            "You want what you delete here to stay on the server: with POP3 nothing you do here reaches it.",
            is_answered=True,
        )
    elif wants.are_deletions_to_stay_local is False:
        scale.put(
            "imap",
            _USUALLY,
            "You want what you delete here to be deleted on the server too.",
            is_answered=True,
        )
    if wants.is_line_slow:
        scale.put(
            "pop3",
            _SLIGHTLY,
            "Your line is slow or metered: POP3 fetches the inbox and nothing else, and is silent in between.",
            is_answered=True,
        )


def _weigh_servers(scale: _Scale, imap: ImapLook, pop3: Pop3Look) -> None:
    if imap.contents is not None and pop3.login_error is not None:
        scale.put("imap", _DECISIVE, "Your login works over IMAP and not over POP3.", is_answered=True)
    if pop3.contents is not None and imap.login_error is not None:
        scale.put("pop3", _DECISIVE, "Your login works over POP3 and not over IMAP.", is_answered=True)
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
            is_answered=True,
        )
    if pop3.expire is not None and pop3.expire.days is not None:
        scale.put(
            "imap",
            _SLIGHTLY,
            f"Over POP3 the server removes mail by itself, {expiry(pop3.expire.days)}.",
            is_answered=True,
        )


def _cautions_about_imap(imap: ImapLook) -> tuple[str, ...]:
    found: list[str] = []
    if not (imap.has_idle or imap.has_notify):
        found.append("The server does not tell of new mail by itself; it is asked once a minute.")
    if not imap.has_uidplus:
        found.append(
            "The server cannot remove single messages for good: what you delete here stays there, marked as deleted, "
            "until some other program clears it up."
        )
    if imap.login_error is not None:
        found.append(f"The login over IMAP failed: {imap.login_error}")
    return tuple(found)


def _cautions_about_pop3(pop3: Pop3Look, wants: Wants) -> tuple[str, ...]:
    found = ["Only the inbox is fetched, and what you mark as read here stays unread elsewhere."]
    if wants.is_server_to_be_emptied and pop3.has_uidl is not False:
        found.append("Once a message is removed there, the copy here is the only one: make backups of it.")
    if pop3.has_uidl is False and not wants.is_server_to_be_emptied:
        found.append("The server gives messages no lasting names: nothing will ever be removed there.")
    is_told = wants.is_server_to_be_emptied is False  # by `wishes`, as a wish that is not met
    if pop3.expire is not None and pop3.expire.days is not None and not is_told:
        found.append(f"The server removes mail by itself, {expiry(pop3.expire.days)}.")
    if pop3.login_delay is not None and pop3.login_delay.seconds:
        found.append(f"The server wants at least {span(pop3.login_delay.seconds)} between two visits.")
    if pop3.login_error is not None:
        found.append(f"The login over POP3 failed: {pop3.login_error}")
    return tuple(found)
