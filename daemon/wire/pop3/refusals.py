r"""-ERR as an error: which refusal asks for patience, which means a wrong credential, how long to wait.

Pure. Codes: IN-USE and LOGIN-DELAY RFC 2449 §8.1, SYS and AUTH RFC 3206; the free words are those that servers are known
to use. A locked maildrop is busy and no wrong password: it is tried again, without alarm. Where there is no code, words
about the credential win over a polite "try again": a wrong password that is sent for ever locks its owner out.
"""

import re
from typing import Final

from daemon.model.errors import AuthenticationFailed, ServerRefused, Throttled
from daemon.wire.pop3.capabilities import Capabilities
from daemon.wire.pop3.responses import Status

MAX_DELAY_SECONDS: Final = 3600.0
BUSY_CODES: Final = frozenset({"IN-USE", "LOGIN-DELAY", "SYS/TEMP"})
_THROTTLE_CODES: Final = frozenset({"IN-USE", "LOGIN-DELAY"})
_FINAL_CODES: Final = frozenset({"SYS/PERM", "AUTH"})
_MAILDROP_COMMANDS: Final = frozenset({"STAT", "LIST", "UIDL", "RSET", "NOOP", "QUIT"})
"""An -ERR to one of these is about the maildrop as a whole; to the others about one message."""

_LOGIN: Final = r"(?:auth\w*|log(?:ging)?[ -]?[io]n|sign[ -]?in|pass(?:word|phrase)|credentials?|user ?name)"
_WHO: Final = rf"(?:{_LOGIN}|user|account)"
_NEARBY: Final = r"[^.,;:]{0,40}"  # within the same part of a sentence
_WRONG_WORDS: Final = re.compile(
    rf"\b(?:invalid|incorrect|wrong|bad|unknown){_NEARBY}\b{_WHO}\b"
    rf"|\b{_LOGIN}\b{_NEARBY}\b(?:invalid|incorrect|wrong|mismatch|disabled|not (?:accepted|valid|correct|recogni[sz]ed))\b"
    rf"|\b(?:user|account)\b{_NEARBY}\b(?:invalid|unknown|blocked|disabled|suspended|deactivated|expired|closed)\b"
    r"|\bno such (?:user|account)\b",
    re.IGNORECASE,
)
_FAILED_WORDS: Final = re.compile(
    rf"\b{_LOGIN}\b{_NEARBY}\b(?:fail(?:s|ed|ure)?|denied|rejected|refused|error)\b"
    rf"|\baccount\b{_NEARBY}\blocked\b",
    re.IGNORECASE,
)
_THROTTLE_WORDS: Final = re.compile(
    r"\bthrottl(?:ed|ing)\b|\brate limit|\bbandwidth\b|\bquota for (?:downloads|today)\b"
    r"|\btoo (?:many (?:simultaneous |concurrent )?(?:connections|sessions|logins|requests|commands)|often|frequent(?:ly)?)\b"
    r"|\b(?:maximum|max) (?:number of )?connections?\b|\bminimum (?:time|interval)\b",
    re.IGNORECASE,
)
_IN_USE_WORDS: Final = re.compile(
    rf"\b(?:maildrop|mail ?box|mail ?spool|inbox|drop)\b{_NEARBY}\block(?:ed)?\b"
    rf"|\block(?:ed|ing)?\b{_NEARBY}\b(?:maildrop|mail ?box|mail ?spool|inbox|drop|busy)\b"
    r"|\bin use\b|\balready (?:open|logged)\b|\banother (?:pop\w* )?(?:session|client|connection)\b"
    rf"|\btemporary {_NEARBY}\b(?:failure|problem|error)\b",
    re.IGNORECASE,
)
# fetchmail pop3.c, protocol.md 3: "maildrop already locked", "wait a few minutes"
_LATER_WORDS: Final = re.compile(
    r"\b(?:lock(?:ed|s|ing)?|wait|busy|try again|try later|again later|retry|temporar(?:y|ily)|unavailable"
    r"|internal (?:server )?error)\b",
    re.IGNORECASE,
)
_CREDENTIAL_WORDS: Final = re.compile(
    rf"\b(?:{_WHO}|mailbox|denied|invalid|incorrect|wrong)\b", re.IGNORECASE
)
_NAMES: Final = r"(?-i:STAT|LIST|UIDL|TOP|RETR|DELE|RSET|NOOP|CAPA)"  # in small letters they are words
_LACKING: Final = (
    r"(?:unknown|unrecogni[sz]ed|invalid|unsupported|unimplemented"
    r"|not (?:known|recogni[sz]ed|understood|supported|implemented))\b"
)
_UNKNOWN_COMMAND: Final = re.compile(
    r"(?:unknown|unrecogni[sz]ed|invalid|illegal|bad|undefined|unsupported|unimplemented|no such)\s+(?:\S+\s+)?command"
    rf"|command\b.{{0,40}}\b{_LACKING}"
    rf"|\b{_NAMES}(?: command)?(?: is)? {_LACKING}",
    re.IGNORECASE,
)
_OFF_COMMAND: Final = re.compile(
    rf"\b(?:(?:command )?{_NAMES}(?: command)?|command)(?: is)? (?:unavailable|not available|disabled)\b",
    re.IGNORECASE,
)
_DELAY: Final = re.compile(r"(\d{1,6})[ ]{0,3}(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?)\b", re.IGNORECASE)


def refusal(status: Status, *, doing: str = "", caps: Capabilities | None = None) -> ServerRefused:
    """The error for an -ERR once we are logged in: Throttled where the server asks for patience, else ServerRefused.

    `doing` names the command, without arguments. Where it is about one message, words such as "locked" and even
    [SYS/TEMP] stop that message only; about the whole maildrop they ask for patience.
    """
    detail = _describe(status, doing)
    is_throttling = status.code in _THROTTLE_CODES or bool(_THROTTLE_WORDS.search(status.text))
    if is_throttling or (doing in _MAILDROP_COMMANDS and is_busy(status)):
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
    if known in BUSY_CODES or (known is None and _asks_for_patience(status.text)):
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
    if status.code in BUSY_CODES or status.code in _FINAL_CODES:
        return status.code in BUSY_CODES
    return not _lacks_command(status.text) and _asks_for_patience(status.text)


def is_unknown_command(status: Status) -> bool:
    """Whether an -ERR says that the server does not have the command, and nothing of one message."""
    return not is_busy(status) and _lacks_command(status.text)


def throttled(status: Status) -> Throttled:
    """The error for being turned away by a server that is busy."""
    return _throttled(_describe(status, ""), status, None)


def _lacks_command(text: str) -> bool:
    """Whether a command is said to be missing: a polite "try again" changes nothing of it, "temporarily" does."""
    if _THROTTLE_WORDS.search(text) or _IN_USE_WORDS.search(text):
        return False
    if _UNKNOWN_COMMAND.search(text):
        return True
    rest, count = _OFF_COMMAND.subn("", text)
    return count > 0 and not _LATER_WORDS.search(rest)


def _asks_for_patience(text: str) -> bool:
    """What the words of an -ERR say where no code does; the first that matches decides."""
    if _WRONG_WORDS.search(text):
        return False
    if _THROTTLE_WORDS.search(text) or _IN_USE_WORDS.search(text):
        return True
    return not _FAILED_WORDS.search(text) and bool(_LATER_WORDS.search(text))


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
