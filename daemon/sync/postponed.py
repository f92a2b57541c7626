"""Messages of a maildrop that could not be had: asked for after all others, and after a longer and longer while.

One message must hold up no other: not one that the server refuses (faults.md P9), and not one at which the line is lost
each time. A line may be lost by chance, so the first loss only puts the message behind the others. Pure; the caller keeps
the text, for a run of one poll has to know what the run before it met.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.net.pop3.client import MaildropEntry
from daemon.wire.pop3.limits import DEFAULT_LIMITS

FIRST_SECONDS: Final = 15 * 60.0
MOST_SECONDS: Final = 24 * 3600.0
TOO_LARGE_SECONDS: Final = 7 * 86400.0  # each try costs as much of the line as the largest message may have
MOST_KEPT: Final = 5000
"""How many are kept as text, a third of a megabyte; of more the process alone knows."""

_Key = tuple[str | None, int | None, int]


class Trouble(StrEnum):
    """Why a message was not had."""

    REFUSED = "refused"
    LINE_LOST = "line_lost"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class _Trial:
    trouble: Trouble
    tries: int
    not_before: float


class Postponed:
    """What is known of one maildrop's messages that were not had. Times are seconds since 1970, UTC."""

    def __init__(self, text: str | None = None) -> None:
        self._trials: dict[_Key, _Trial] = dict(_parse(text)) if text else {}
        self.is_changed = False
        """Whether there is something to keep since `format`."""

    def choose(self, entries: Iterable[MaildropEntry], now: float) -> list[MaildropEntry]:
        """Those that may be asked for now; what was never had, or is listed as larger than anything may be, last."""
        chosen = [entry for entry in entries if self._not_before(entry) <= now]
        return sorted(chosen, key=lambda entry: (self.tries(entry), _is_too_large(entry)))

    def tries(self, entry: MaildropEntry) -> int:
        """How often it was asked for in vain."""
        trial = self._trials.get(_key_of(entry))
        return trial.tries if trial is not None else 0

    def is_suspect(self, entry: MaildropEntry) -> bool:
        """Whether a line ended at it the last time, so that it may end another one."""
        trial = self._trials.get(_key_of(entry)) if self._trials else None
        return trial is not None and trial.trouble is not Trouble.REFUSED

    def note_failed(self, entry: MaildropEntry, trouble: Trouble, now: float) -> float:
        """It was not had; gives when it may be asked for again."""
        tries = self.tries(entry) + 1
        wait = TOO_LARGE_SECONDS
        if trouble is not Trouble.TOO_LARGE:
            waits = tries if trouble is Trouble.REFUSED else tries - 1
            wait = min(FIRST_SECONDS * 4.0 ** min(waits - 1, 10), MOST_SECONDS) if waits else 0.0
        self._trials[_key_of(entry)] = _Trial(trouble, tries, now + wait)
        self.is_changed = True
        return now + wait

    def note_had(self, entry: MaildropEntry) -> None:
        """It came after all."""
        if self._trials and self._trials.pop(_key_of(entry), None) is not None:
            self.is_changed = True

    def keep(self, listed: Collection[MaildropEntry]) -> None:
        """Forget what is not listed any more."""
        if not self._trials:
            return
        gone = self._trials.keys() - {_key_of(entry) for entry in listed}
        for key in gone:
            del self._trials[key]
        self.is_changed = self.is_changed or bool(gone)

    def format(self) -> str | None:
        """The text to keep, None for nothing: those that wait longest, where they are too many."""
        self.is_changed = False
        if not self._trials:
            return None
        kept = sorted(self._trials.items(), key=lambda item: -item[1].not_before)[:MOST_KEPT]
        rows = [[*key, trial.trouble, trial.tries, int(trial.not_before)] for key, trial in kept]
        return json.dumps(rows, separators=(",", ":"))

    def _not_before(self, entry: MaildropEntry) -> float:
        trial = self._trials.get(_key_of(entry)) if self._trials else None
        return trial.not_before if trial is not None else 0.0


def _parse(text: str) -> Iterable[tuple[_Key, _Trial]]:
    for uidl, size, number, trouble, tries, not_before in json.loads(text):
        yield (uidl, size, number), _Trial(Trouble(trouble), tries, float(not_before))


def _key_of(entry: MaildropEntry) -> _Key:
    """Unique id and size; without an id the number, lest every message of that size waits."""
    return entry.uidl, entry.size, entry.number if entry.uidl is None else 0


def _is_too_large(entry: MaildropEntry) -> bool:
    return entry.size is not None and entry.size > DEFAULT_LIMITS.max_message_bytes
