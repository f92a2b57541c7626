"""`mailsyncd check`: is the configuration right, and would the store and what it names be usable. No network."""

import os
import sys
from pathlib import Path

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option, settings_or_exit


@click.command(short_help="Validate the config and look at the store.")
@config_option
def check(config: Path | None) -> None:
    """Read and validate the config and look at the store; nothing is changed and no server is asked.

    \b
    Exit status: 0 fit to run, 2 not.
    """  # noqa: D301 - click reads the backspace
    settings = settings_or_exit(config)

    from daemon.cli import inspection, words  # noqa: PLC0415 - not needed for help

    findings = inspection.inspect(settings, os.environ)
    for warning in (*settings.warnings, *findings.warnings):
        complain(f"warning: {warning}")
    for problem in findings.problems:
        complain(problem)
    if findings.problems:
        sys.exit(exits.USAGE)
    click.echo(f"{settings.source}: {words.count(len(settings.accounts), 'account')}, fit to run")
    sys.exit(exits.OK)
