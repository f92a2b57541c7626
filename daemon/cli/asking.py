"""Asking a running service to bring accounts in step, and waiting until it has."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from daemon.cli.client import ControlClient, NoService, ServiceRefused
from daemon.cli.outcomes import Outcome, failure, outcome_of_job
from daemon.cli.progress import REFRESH_SECONDS, ProgressLine
from daemon.model.ids import AccountId
from daemon.model.passes import Progress

FIRST_LOOK_SECONDS: Final = 0.02  # an account with nothing to do is done in less
SLOWEST_LOOK_SECONDS: Final = 0.5


def sync_by_service(
    store_path: Path, accounts: Sequence[str], line: ProgressLine | None
) -> list[Outcome] | None:
    """What became of each account, in the order given; None when no service runs on this store."""
    with ControlClient(store_path) as client:
        try:
            position = str(client.get("/v1/status").get("event_id"))
        except NoService:
            return None
        try:
            return _sync(client, position, accounts, line)
        except NoService as gone:
            return [
                failure(account, "no_service", f"the service is gone: {gone}", None) for account in accounts
            ]


def _sync(
    client: ControlClient, position: str, accounts: Sequence[str], line: ProgressLine | None
) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}
    waiting: dict[str, str] = {}
    for account in accounts:
        try:
            waiting[account] = str(client.post(f"/v1/accounts/{account}/sync")["id"])
        except ServiceRefused as refusal:
            is_unknown = refusal.code == "account_unknown"
            remedy = "restart the service to make it read its configuration" if is_unknown else None
            outcomes[account] = failure(account, refusal.code, str(refusal), remedy)
    pause = FIRST_LOOK_SECONDS
    while waiting:
        time.sleep(pause)
        pause = min(pause * 1.5, SLOWEST_LOOK_SECONDS if line is None else REFRESH_SECONDS)
        for account, job_id in tuple(waiting.items()):
            job = client.get(f"/v1/jobs/{job_id}")
            if job.get("state") != "running":
                outcomes[account] = outcome_of_job(account, job)
                del waiting[account]
        if line is not None:
            position = _show_progress(client, position, waiting, line)
    return [outcomes[account] for account in accounts]


def _show_progress(client: ControlClient, position: str, waiting: Collection[str], line: ProgressLine) -> str:
    """Draw what the journal says since `position`; where it goes on."""
    try:
        told = client.get(f"/v1/events?since={position}&types=sync.progress")
    except ServiceRefused:  # the journal was pruned meanwhile; the work itself goes on
        return str(client.get("/v1/status").get("event_id"))
    items = told.get("items")
    for item in items if isinstance(items, list) else ():
        data = item.get("data", {})
        if item.get("account") in waiting:
            line.show(
                Progress(
                    account=AccountId(item["account"]),
                    messages_done=int(data.get("messages_done", 0)),
                    messages_total=int(data.get("messages_total", 0)),
                    bytes_done=int(data.get("bytes_done", 0)),
                    bytes_total=int(data.get("bytes_total", 0)),
                )
            )
    return str(told.get("next", position))
