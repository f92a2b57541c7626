"""`mailsyncd sync`: one pass in both directions, by a running service or by this process."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option, exit_with, log_level_option, settings_or_exit

if TYPE_CHECKING:
    from daemon.cli.outcomes import Outcome
    from daemon.cli.progress import ProgressLine
    from daemon.model.settings import ImapSettings, Pop3Settings, Settings


@click.command(short_help="Bring accounts in step once and exit.")
@config_option
@log_level_option(default="warning")
@click.argument("accounts", nargs=-1, metavar="[ACCOUNT]...")
def sync(config: Path | None, log_level: str, accounts: tuple[str, ...]) -> None:
    """Bring accounts in step once, in both directions, and exit; all of them unless some are named.

    While a service runs on the same store, it is asked to do it.

    \b
    Exit status: 0 all done, 1 some account failed (the others are finished), 2 usage or config,
    75 another process owns the store.
    """  # noqa: D301 - click reads the backspace
    settings = settings_or_exit(config)
    chosen = chosen_accounts(settings, accounts)
    if not chosen:
        complain(f"no accounts in {settings.source}; nothing to do")
        sys.exit(exits.OK)

    # Late: help and mistakes on the command line need none of it.
    from daemon.cli import asking, logs, progress  # noqa: PLC0415
    from daemon.model.errors import ConfigError, MailError, StoreInUse  # noqa: PLC0415

    line = None
    if progress.is_wanted(sys.stderr, os.environ):
        line = progress.ProgressLine(
            sys.stderr, monotonic=time.monotonic, width=lambda: shutil.get_terminal_size().columns
        )
    logs.configure(log_level, before_line=line.clear if line else None)
    names = [account.id for account in chosen]
    try:
        outcomes = asking.sync_by_service(settings.store.path, names, line)
        if outcomes is None:
            try:
                outcomes = _sync_here(settings, chosen, line)
            except StoreInUse as error:
                # A service that is just starting, or another `mailsyncd sync`.
                outcomes = asking.sync_by_service(settings.store.path, names, line)
                if outcomes is None:
                    exit_with(exits.IN_USE, error)
    except KeyboardInterrupt:
        complain("stopped; what was done so far stays done")
        sys.exit(exits.FAILED)
    except ConfigError as error:
        exit_with(exits.USAGE, error)
    except MailError as error:
        exit_with(exits.FAILED, error)
    finally:
        if line is not None:
            line.clear()
    for outcome in outcomes:
        click.echo(outcome.line)
    sys.exit(exits.OK if all(outcome.is_done for outcome in outcomes) else exits.FAILED)


def chosen_accounts(settings: Settings, names: Sequence[str]) -> list[ImapSettings | Pop3Settings]:
    """The accounts named, all for none; exits with 2 when one does not exist."""
    known = {account.id: account for account in settings.accounts}
    if unknown := [name for name in names if name not in known]:
        for name in unknown:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
            complain(f"no account {name!r} in {settings.source}; {hint}")
        sys.exit(exits.USAGE)
    return [account for name, account in known.items() if not names or name in names]


def _sync_here(
    settings: Settings, chosen: Sequence[ImapSettings | Pop3Settings], line: ProgressLine | None
) -> list[Outcome]:
    from daemon import app  # noqa: PLC0415 - the whole stack; not needed when a service does it
    from daemon.cli.outcomes import outcome_of  # noqa: PLC0415

    hints: dict[str, str] = {}
    results = app.sync(settings, chosen, on_progress=line.show if line else None, on_hint=hints.__setitem__)
    return [outcome_of(account, result, hints.get(account)) for account, result in results.items()]
