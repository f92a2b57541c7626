"""`mailsyncd verify`: does an account work? Every step with its result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import exits
from daemon.cli.options import config_option, settings_or_exit

if TYPE_CHECKING:
    from daemon.model.settings import ImapSettings, Pop3Settings


@click.command(short_help="Try an account: connect, log in, list.")
@config_option
@click.argument("account")
def verify(config: Path | None, account: str) -> None:
    """Connect to an account's server, log in and list what is there; nothing is fetched and nothing changed.

    \b
    Exit status: 0 everything works, 1 something does not, 2 usage or config.
    """  # noqa: D301 - click reads the backspace
    settings = settings_or_exit(config)

    import asyncio  # noqa: PLC0415 - not needed for help

    from daemon.cli.sync import chosen_accounts  # noqa: PLC0415 - not needed for help

    (chosen,) = chosen_accounts(settings, [account])
    sys.exit(exits.OK if asyncio.run(_verify(chosen)) else exits.FAILED)


async def _verify(account: ImapSettings | Pop3Settings) -> bool:
    from daemon.cli import words  # noqa: PLC0415
    from daemon.credentials import read_password  # noqa: PLC0415
    from daemon.model.clock import SystemClock  # noqa: PLC0415
    from daemon.probe.verify import verify as steps_of  # noqa: PLC0415

    is_well = True
    async for step in steps_of(account, read_password=read_password, clock=SystemClock()):
        is_well = is_well and step.is_ok
        mark = "ok    " if step.is_ok else "FAILED"
        click.echo(words.printable(f"{mark}  {step.name}: {step.detail}"))
        if step.remedy:
            click.echo(words.printable(f"        {step.remedy}"))
    return is_well
