"""`mailsyncd held` and `mailsyncd approve`: deletions that wait for a person, and the word that lets them go on."""

import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option, settings_or_exit

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_WAIT_SECONDS = 25
_SIDES = {"here": "here", "there": "on the server"}


@click.command(short_help="Show deletions that wait for your word.")
@config_option
def held(config: Path | None) -> None:
    """Show deletions that were inferred from something missing, and are held until you decide.

    \b
    Exit status: 0 none are held, 1 some are, 2 config, 3 no service.
    """  # noqa: D301 - click reads the backspace
    with _service(config) as client:
        accounts = client.get("/v1/status").get("accounts")
        lines = [
            line
            for account in (accounts if isinstance(accounts, dict) else {})
            for line in _held_lines(account, client.get(f"{_path(account)}/held"))
        ]
    click.echo("\n".join(lines) if lines else "Nothing is held.")
    sys.exit(exits.FAILED if lines else exits.OK)


@click.command(short_help="Let held deletions go on.")
@click.argument("account")
@click.argument("mailboxes", nargs=-1, required=True, metavar="MAILBOX...")
@config_option
def approve(account: str, mailboxes: tuple[str, ...], config: Path | None) -> None:
    """Let the deletions that `mailsyncd held` shows for these mailboxes go on, and no others.

    \b
    Exit status: 0 done, 1 not, 2 config, 3 no service.
    """  # noqa: D301 - click reads the backspace
    from daemon.cli.outcomes import outcome_of_job  # noqa: PLC0415 - not needed for help

    is_done = True
    with _service(config) as client:
        for mailbox in mailboxes:
            job = client.post(f"{_path(account)}/held/approve?wait={_WAIT_SECONDS}", {"mailbox": mailbox})
            if job.get("state") == "running":
                click.echo(f"{account}: approved in {mailbox}; it goes on, see mailsyncd status")
                continue
            outcome = outcome_of_job(account, job)
            click.echo(outcome.line)
            is_done = is_done and outcome.is_done
    sys.exit(exits.OK if is_done else exits.FAILED)


@contextmanager
def _service(config: Path | None) -> Iterator["ControlClient"]:
    settings = settings_or_exit(config)

    from daemon.cli.client import ControlClient, NoService, ServiceRefused  # noqa: PLC0415 - not needed for help

    try:
        with ControlClient(settings.store.path) as client:
            yield client
    except NoService as error:
        complain(f"{error}; start it with mailsyncd run")
        sys.exit(exits.NO_SERVICE)
    except ServiceRefused as error:
        complain(str(error))
        sys.exit(exits.FAILED)


def _held_lines(account: str, told: dict[str, object]) -> list[str]:
    from daemon.cli import words  # noqa: PLC0415

    items = told.get("items")
    return [
        words.printable(
            f"{account}: {one['mailbox']}: {one['count']} of {one['total']} would go "
            f"{_SIDES.get(one['side'], one['side'])}: {one['reason']}; since {one['since']}"
        )
        for one in (items if isinstance(items, list) else [])
    ]


def _path(account: str) -> str:
    return f"/v1/accounts/{urllib.parse.quote(account, safe='')}"
