"""Passes until there is nothing left to do, or until it is plain that others are writing all the time."""

from collections.abc import Callable
from dataclasses import replace

from daemon.model.passes import PassResult, Progress
from daemon.model.settings import ImapSettings
from daemon.net.imap.client import ImapClient
from daemon.sync.imap_pass import ImapSync

OnProgress = Callable[[Progress], None]
OpenEngine = Callable[[ImapSettings, OnProgress], ImapSync]


async def run_to_quiescence(engine: ImapSync, client: ImapClient, *, passes_limit: int) -> PassResult:
    """What all passes over every mailbox did together; the last one found nothing, unless the limit came first.

    `failed` and `held` are those of the last pass: what an earlier one left, a later one tried again.
    """
    total = PassResult()
    for _ in range(passes_limit):
        result = await engine.run_pass(client)
        total = replace(total.plus(result), failed=result.failed, held=result.held)
        if result.is_quiet:
            break
    return total
