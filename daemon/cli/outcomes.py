"""What became of one account in `mailsyncd sync`, whoever did it: one line, and whether all is done. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from daemon.cli import words
from daemon.model.errors import MailError
from daemon.model.passes import PassResult


@dataclass(frozen=True, slots=True)
class Outcome:
    """The line for a person; `is_done` when both sides are equal and nothing is left."""

    line: str
    is_done: bool


def outcome_of(account: str, result: PassResult | MailError, hint: str | None = None) -> Outcome:
    """Of a sync in this process; `hint` is what else is to be known of the account."""
    if isinstance(result, MailError):
        return failure(account, result.reason, str(result), result.remedy)
    what = words.outcome(result)
    line = f"{account}: {what}; {hint}" if hint else f"{account}: {what}"
    return Outcome(line, is_done=not (result.failed or result.held))


def outcome_of_job(account: str, job: Mapping[str, object]) -> Outcome:
    """Of a job of the service that is no longer running."""
    told = job.get("result")
    if job.get("state") == "done" and isinstance(told, dict):
        counts = {field.name: int(told.get(field.name, 0)) for field in fields(PassResult)}
        return outcome_of(account, PassResult(**counts))
    reason = str(job.get("reason") or "failed")
    return failure(account, reason, str(job.get("detail") or reason), None)


def failure(account: str, reason: str, detail: str, remedy: str | None) -> Outcome:
    """Why it could not be done, and what to do."""
    what = f"{detail}; {remedy}" if remedy else detail
    return Outcome(words.printable(f"{account}: failed ({reason}): {what}"), is_done=False)
