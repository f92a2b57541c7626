"""`mailsyncd run`: the service, until SIGTERM or SIGINT."""

import sys
from pathlib import Path

import click

from daemon.cli import exits
from daemon.cli.options import config_option, exit_with, log_level_option, settings_or_exit


@click.command(short_help="Run the service until it is told to stop.")
@config_option
@log_level_option(default="info")
def run(config: Path | None, log_level: str) -> None:
    """Run the service: all accounts and the HTTP API, until SIGTERM or SIGINT.

    \b
    Exit status: 0 after a clean stop, 2 config, 75 another process owns the store.
    """  # noqa: D301 - click reads the backspace
    settings = settings_or_exit(config)

    # Late: the whole stack takes most of a second to import.
    from daemon import app  # noqa: PLC0415
    from daemon.cli import logs  # noqa: PLC0415
    from daemon.model.errors import ConfigError, MailError, StoreInUse  # noqa: PLC0415

    logs.configure(log_level)
    try:
        app.run(settings)
    except StoreInUse as error:
        exit_with(exits.IN_USE, error)
    except ConfigError as error:
        exit_with(exits.USAGE, error)
    except MailError as error:
        exit_with(exits.FAILED, error)
    sys.exit(exits.OK)
