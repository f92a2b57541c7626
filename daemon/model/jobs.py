"""Jobs: what was asked of an account as a whole, and how far it got.

A job lives in memory only: asking again is harmless, so nothing is lost with it. Changes to mail are operations.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from daemon.model.ids import AccountId
from daemon.model.passes import PassResult

JobId = NewType("JobId", str)
"""One request to an account: 32 lower-case hex digits."""


class JobKind(StrEnum):
    """What can be asked of an account."""

    SYNC = "sync"
    PAUSE = "pause"
    RESUME = "resume"
    RECONNECT = "reconnect"


class JobState(StrEnum):
    """running: not finished yet. done: as asked. failed: not, with the reason."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request and its outcome. Times are seconds since 1970, UTC; `result` is set for a sync that is done."""

    id: JobId
    account: AccountId
    kind: JobKind
    state: JobState
    created_at: float
    finished_at: float | None = None
    result: PassResult | None = None
    reason: str | None = None
    detail: str | None = None


def new_job_id() -> JobId:
    """A fresh random 128-bit id."""
    return JobId(secrets.token_hex(16))
