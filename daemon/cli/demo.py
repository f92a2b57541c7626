"""`mailsyncd demo`: the service on built-in demo accounts, with nothing to configure."""

import sys
from pathlib import Path

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option, exit_with, log_level_option


@click.command(short_help="Try the service on built-in accounts.")
@config_option
@log_level_option(default="warning")
def demo(config: Path | None, log_level: str) -> None:
    """Run the service on built-in demo accounts, in a fresh private directory, until Ctrl-C.

    \b
    Exit status: 0.
    """  # noqa: D301 - click reads the backspace
    from daemon.cli import demonstration, logs  # noqa: PLC0415 - the whole stack; not needed for help
    from daemon.model.errors import MailError  # noqa: PLC0415

    if config is not None:
        complain(f"the demo brings its own configuration; {config} is not read")
    logs.configure(log_level)
    try:
        demonstration.run()
    except MailError as error:
        exit_with(exits.FAILED, error)
    sys.exit(exits.OK)
