"""One client from greeting to goodbye: which command may come when, and what is answered when one fails.

The command table is RFC 3501 §3's state diagram: each name with the state it needs, its extension and its handler.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Final

from daemon.demo.imap import account, anytime, selected
from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.session import Closed, Refused, Session


class Needs(IntEnum):
    """What must have happened before a command."""

    NOTHING = 0
    NO_LOGIN = 1
    LOGIN = 2
    MAILBOX = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the command table."""

    needs: Needs
    handler: Callable[[Session, Arguments], Awaitable[str]]
    extension: str | None = None
    may_expunge: bool = True


COMMANDS: Final[dict[str, Rule]] = {
    "CAPABILITY": Rule(Needs.NOTHING, anytime.capability),
    "NOOP": Rule(Needs.NOTHING, anytime.noop),
    "LOGOUT": Rule(Needs.NOTHING, anytime.logout),
    "ID": Rule(Needs.NOTHING, anytime.identify, "ID"),
    "LOGIN": Rule(Needs.NO_LOGIN, anytime.login),
    "AUTHENTICATE": Rule(Needs.NO_LOGIN, anytime.authenticate),
    "ENABLE": Rule(Needs.LOGIN, anytime.enable, "ENABLE"),
    "NAMESPACE": Rule(Needs.LOGIN, anytime.namespace, "NAMESPACE"),
    "LIST": Rule(Needs.LOGIN, account.list_),
    "LSUB": Rule(Needs.LOGIN, account.lsub),
    "STATUS": Rule(Needs.LOGIN, account.status),
    "CREATE": Rule(Needs.LOGIN, account.create),
    "DELETE": Rule(Needs.LOGIN, account.delete),
    "RENAME": Rule(Needs.LOGIN, account.rename),
    "SUBSCRIBE": Rule(Needs.LOGIN, account.subscribe),
    "UNSUBSCRIBE": Rule(Needs.LOGIN, account.unsubscribe),
    "APPEND": Rule(Needs.LOGIN, account.append),
    "SELECT": Rule(Needs.LOGIN, account.select),
    "EXAMINE": Rule(Needs.LOGIN, account.examine),
    "IDLE": Rule(Needs.LOGIN, selected.idle, "IDLE"),
    "CHECK": Rule(Needs.MAILBOX, anytime.noop),
    "CLOSE": Rule(Needs.MAILBOX, selected.close),
    "UNSELECT": Rule(Needs.MAILBOX, selected.unselect, "UNSELECT"),
    "FETCH": Rule(Needs.MAILBOX, selected.fetch, may_expunge=False),
    "STORE": Rule(Needs.MAILBOX, selected.store, may_expunge=False),
    "SEARCH": Rule(Needs.MAILBOX, selected.search, may_expunge=False),
    "COPY": Rule(Needs.MAILBOX, selected.copy),
    "MOVE": Rule(Needs.MAILBOX, selected.move, "MOVE"),
    "EXPUNGE": Rule(Needs.MAILBOX, selected.expunge),
    "UID FETCH": Rule(Needs.MAILBOX, partial(selected.fetch, by_uid=True)),
    "UID STORE": Rule(Needs.MAILBOX, partial(selected.store, by_uid=True)),
    "UID SEARCH": Rule(Needs.MAILBOX, partial(selected.search, by_uid=True)),
    "UID COPY": Rule(Needs.MAILBOX, partial(selected.copy, by_uid=True)),
    "UID MOVE": Rule(Needs.MAILBOX, partial(selected.move, by_uid=True), "MOVE"),
    "UID EXPUNGE": Rule(Needs.MAILBOX, partial(selected.expunge, by_uid=True), "UIDPLUS"),
}


async def serve(session: Session) -> None:
    """Answer one client until it leaves or must go; never raises for what a client does."""
    session.send(f"* OK [CAPABILITY {session.capabilities}] The demo's mail server\r\n".encode())
    try:
        while await _answer_one(session):
            pass
    except Closed as closed:
        if str(closed):
            session.send(f"* BYE {closed}\r\n".encode())
    finally:
        session.unselect()


async def _answer_one(session: Session) -> bool:
    """Whether there may be another command after this one."""
    args = Arguments(await session.read_command())
    session.tag, name = b"*", ""
    try:
        session.tag = args.tag()
        name = args.word()
        if name == "UID":
            args.space()
            name = f"UID {args.word()}"
        rule = _allowed(session, name)
        text = await rule.handler(session, args)
        await session.tell_news(may_expunge=rule.may_expunge, with_uid=name.startswith("UID "))
    except Refused as refused:
        text, verdict = str(refused), b"NO"
    except BadCommand as bad:
        text, verdict = str(bad), b"BAD"
    else:
        verdict = b"OK"
    session.send(b"%s %s %s\r\n" % (session.tag, verdict, text.encode()))
    return name != "LOGOUT" or verdict != b"OK"


def _allowed(session: Session, name: str) -> Rule:
    """The rule for this command; BadCommand where it is unknown, switched off, or out of its state."""
    rule = COMMANDS.get(name)
    if rule is None or (rule.extension is not None and not session.has(rule.extension)):
        raise BadCommand("unknown command")
    if rule.needs is Needs.NO_LOGIN and session.user is not None:
        raise BadCommand("logged in already")
    if rule.needs >= Needs.LOGIN and session.user is None:
        raise BadCommand("log in first")
    if rule.needs is Needs.MAILBOX and session.view is None:
        raise BadCommand("select a mailbox first")
    return rule
