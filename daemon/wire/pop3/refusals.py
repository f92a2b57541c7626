r"""-ERR as an error: which refusal asks for patience, which means a wrong credential, how long to wait.

Pure. Codes: IN-USE and LOGIN-DELAY RFC 2449 §8.1, SYS and AUTH RFC 3206; the free words are those that providers are known
to use. A locked maildrop is busy and no wrong password: it is tried again, without alarm.
"""

import re
from typing import Final

from daemon.model.errors import AuthenticationFailed, ServerRefused, Throttled
from daemon.wire.pop3.capabilities import Capabilities
from daemon.wire.pop3.responses import Status

MAX_DELAY_SECONDS: Final = 3600.0
BUSY_CODES: Final = frozenset({"IN-USE", "LOGIN-DELAY", "SYS/TEMP"})
_THROTTLE_CODES: Final = frozenset({"IN-USE", "LOGIN-DELAY"})
_THROTTLE_WORDS: Final = re.compile(
    r"throttl|rate limit|bandwidth|quota for (?:downloads|today)"
    r"|too (?:many (?:simultaneous |concurrent )?(?:connections|sessions|logins|requests|commands)|often|frequent)"
    r"|(?:maximum|max) number of connections|minimum (?:time|interval)",
    re.IGNORECASE,
)
# fetchmail pop3.c, protocol.md 3: "maildrop already locked", "wait a few minutes"
_BUSY_WORDS: Final = re.compile(
    r"lock|wait|busy|in use|already (?:open|logged)|another (?:session|client)|try again|try later|temporar|unavailable"
    r"|internal error",
    re.IGNORECASE,
)
_CREDENTIAL_WORDS: Final = re.compile(
    r"auth|passw|credential|log[ -]?[io]n|user|account|mailbox|denied|invalid|incorrect|wrong", re.IGNORECASE
)
_UNKNOWN_COMMAND: Final = re.compile(
    r"(?:unknown|unrecogni[sz]ed|invalid|illegal|bad|undefined|unsupported|unimplemented|no such)\s+(?:\S+\s+)?command"
    r"|command\b.{0,40}\b(?:unknown|unrecogni[sz]ed|invalid|unsupported|unimplemented"
    r"|not (?:known|recogni[sz]ed|understood|supported|implemented|available))",
    re.IGNORECASE,
)
_DELAY: Final = re.compile(r"(\d{1,6})[ ]{0,3}(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?)\b", re.IGNORECASE)


def refusal(status: Status, *, doing: str = "", caps: Capabilities | None = None) -> ServerRefused:
    """The error for an -ERR: Throttled where the server asks for patience, else ServerRefused.

    `doing` names the command, without arguments, for the sentence. Words such as "locked" do not throttle here: once we
    are logged in they are about one message.
    """
    detail = _describe(status, doing)
    if status.code in _THROTTLE_CODES or _THROTTLE_WORDS.search(status.text):
        return _throttled(detail, status, caps)
    return ServerRefused(detail, status="-ERR", code=status.code)


def login_refusal(
    status: Status, *, host: str, caps: Capabilities
) -> Throttled | ServerRefused | AuthenticationFailed:
    """The error for a login that was refused: busy and temporary trouble are Throttled, [SYS/PERM] is ServerRefused.

    Only the rest is a wrong credential; and where the server promises to say [AUTH] (RFC 3206 §6), an -ERR without it
    that does not speak of credentials either is none.
    """
    detail = _describe(status, "login")
    known = status.code if status.code in {*BUSY_CODES, "SYS/PERM", "AUTH", "UTF8"} else None
    if known in BUSY_CODES:
        return _throttled(detail, status, caps)
    if known is None and (_THROTTLE_WORDS.search(status.text) or _BUSY_WORDS.search(status.text)):
        return _throttled(detail, status, caps)
    is_silent_of_credentials = (
        known is None and caps.has("AUTH-RESP-CODE") and not _CREDENTIAL_WORDS.search(status.text)
    )
    if known in {"SYS/PERM", "UTF8"} or is_silent_of_credentials:
        return ServerRefused(detail, status="-ERR", code=status.code)
    return AuthenticationFailed(
        f"{host} does not accept the credential; {detail}",
        remedy="check username and password; some providers want an app password",
    )


def is_busy(status: Status) -> bool:
    """Whether an -ERR says that the same may succeed later, and not that the command is unknown."""
    return status.code in BUSY_CODES or bool(
        _THROTTLE_WORDS.search(status.text) or _BUSY_WORDS.search(status.text)
    )


def is_unknown_command(status: Status) -> bool:
    """Whether an -ERR says that the server does not have the command, and nothing of one message."""
    return not is_busy(status) and bool(_UNKNOWN_COMMAND.search(status.text))


def throttled(status: Status) -> Throttled:
    """The error for being turned away by a server that is busy."""
    return _throttled(_describe(status, ""), status, None)


def _describe(status: Status, doing: str) -> str:
    said = f"-ERR {f'[{status.code}] ' if status.code else ''}{status.text}".rstrip()
    return f"{doing}: server answered {said}" if doing else f"server answered {said}"


def _throttled(detail: str, status: Status, caps: Capabilities | None) -> Throttled:
    return Throttled(
        detail, status="-ERR", code=status.code, retry_after_seconds=_delay_seconds(status, caps)
    )


def _delay_seconds(status: Status, caps: Capabilities | None) -> float | None:
    """Seconds the server asks for in words, else its LOGIN-DELAY if that is what it complains about."""
    found = _DELAY.search(status.text)
    if found is not None:
        seconds = float(found[1]) * (60 if found[2].lower().startswith("m") else 1)
        return min(seconds, MAX_DELAY_SECONDS)
    delay = caps.login_delay if caps is not None else None
    if delay is not None and status.code == "LOGIN-DELAY":
        return min(float(delay.seconds), MAX_DELAY_SECONDS)
    return None
