"""Commands that need no mailbox selected and no mail: capability, login, ENABLE, ID, NAMESPACE, LOGOUT.

Each handler returns the text of its tagged OK. RFC 3501 §6.1 and §6.2; RFC 4959, 5161, 2971, 2342.
"""

import base64
import binascii

from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.session import Refused, Session


async def capability(session: Session, args: Arguments) -> str:
    args.end()
    session.send(f"* CAPABILITY {session.capabilities}\r\n".encode())
    return "Done"


async def noop(_session: Session, args: Arguments) -> str:
    args.end()
    return "Done"


async def logout(session: Session, args: Arguments) -> str:
    args.end()
    session.unselect()
    session.send(b"* BYE Until next time\r\n")
    return "Done"


async def identify(session: Session, args: Arguments) -> str:
    args.rest()  # whoever asks is welcome
    session.send(b'* ID ("name" "mailsyncd demo")\r\n')
    return "Done"


async def login(session: Session, args: Arguments) -> str:
    args.space()
    name = args.astring()
    args.space()
    password = args.astring()
    args.end()
    session.log_in(name, password)
    return f"[CAPABILITY {session.capabilities}] Welcome"


async def authenticate(session: Session, args: Arguments) -> str:
    """PLAIN only (RFC 4616), with its answer in the command where SASL-IR is on."""
    args.space()
    if args.word() != "PLAIN":
        raise Refused("Only PLAIN is known")
    if args.is_done:
        session.send(b"+ \r\n")
        answer = (await session.read_line()).strip()
    else:
        if not session.has("SASL-IR"):
            raise BadCommand("SASL-IR is not offered")
        args.space()
        answer = args.rest()
    if answer == b"*":
        raise BadCommand("Given up")
    try:
        as_whom, name, password = base64.b64decode(answer, validate=True).split(b"\0")
    except (binascii.Error, ValueError) as exc:
        raise BadCommand("not PLAIN") from exc
    if as_whom not in (b"", name):
        raise Refused("[AUTHORIZATIONFAILED] Only as oneself")
    session.log_in(name, password)
    return f"[CAPABILITY {session.capabilities}] Welcome"


async def enable(session: Session, args: Arguments) -> str:
    new = []
    while args.accept(b" "):
        name = args.word()
        if name in ("CONDSTORE", "QRESYNC") and session.has(name):
            session.enabled.add(name)
            new.append(name)
    args.end()
    session.send(" ".join(["* ENABLED", *new]).encode() + b"\r\n")
    return "Done"


async def namespace(session: Session, args: Arguments) -> str:
    args.end()
    session.send(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return "Done"
