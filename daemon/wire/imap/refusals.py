r"""NO and BAD as errors: which refusal is throttling, which is a credential, how long to wait.

Pure. Codes: RFC 9051 §7.1, RFC 5530; the free words are those that providers are known to use (each with its test).
"""

import re
from typing import Final

from daemon.model.errors import ServerRefused, Throttled
from daemon.wire.imap.responses import Bye, StatusLine, Tagged

MAX_BACKOFF_SECONDS: Final = 3600.0
TRANSIENT_CODES: Final = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT", "THROTTLED"})
_THROTTLE_CODES: Final = frozenset({"THROTTLED", "LIMIT"})
# QUIRK Microsoft 365: "Request is throttled. Suggested Backoff Time: 92415 milliseconds"
_BACKOFF_MILLISECONDS: Final = re.compile(
    r"backoff time:?\s{0,3}(\d{1,12})\s{0,3}(milliseconds|ms|seconds|s)?", re.IGNORECASE
)
_THROTTLE_WORDS: Final = re.compile(
    r"throttl"
    r"|exceeded (?:command or )?bandwidth limits"  # QUIRK Gmail: NO [OVERQUOTA] Account exceeded command or bandwidth limits
    r"|too many (?:simultaneous |concurrent )?(?:connections|sessions|logins|requests|commands)"
    r"|maximum number of connections"
    r"|authenticated but not connected"  # QUIRK Microsoft 365: LOGIN OK, then BAD on everything else
    r"|rate limit",
    re.IGNORECASE,
)
_BUSY_WORDS: Final = re.compile(r"try again|temporar|unavailable|internal error", re.IGNORECASE)


def refusal(answer: Tagged | StatusLine | Bye, *, doing: str = "") -> ServerRefused:
    """The error to raise for a NO, BAD or BYE: Throttled where the server asks for patience, else ServerRefused.

    `doing` names the command, without arguments, for the sentence.
    """
    status = "BYE" if isinstance(answer, Bye) else answer.status.value
    code = answer.code.name if answer.code else None
    said = f"{status} {f'[{code}] ' if code else ''}{answer.text}".rstrip()
    detail = f"{doing}: server answered {said}" if doing else f"server answered {said}"
    if code in _THROTTLE_CODES or _THROTTLE_WORDS.search(answer.text):
        return Throttled(detail, status=status, code=code, retry_after_seconds=_backoff_seconds(answer.text))
    return ServerRefused(detail, status=status, code=code)


def is_credential_failure(answer: Tagged) -> bool:
    """Whether a refused login means a wrong credential, and not a server that is busy (RFC 5530 §3)."""
    if answer.is_ok or _THROTTLE_WORDS.search(answer.text):
        return False
    if answer.code is None and _BUSY_WORDS.search(answer.text):
        return False
    if answer.code is None:
        return True
    return answer.code.name not in TRANSIENT_CODES


def _backoff_seconds(text: str) -> float | None:
    found = _BACKOFF_MILLISECONDS.search(text)
    if found is None:
        return None
    unit = (found[2] or "milliseconds").lower()
    seconds = float(found[1]) / (1000 if unit.startswith("m") else 1)
    return min(seconds, MAX_BACKOFF_SECONDS)
