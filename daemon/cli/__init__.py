"""The command `mailsyncd`: one module a command, nothing heavy imported before a command runs.

Exit codes are the contract's and stand in `daemon.cli.exits`. Commands that talk to a running service use its control
socket and never import `daemon.app`.
"""

import importlib.util
import os
import sys

import click

from daemon import __version__
from daemon.cli import exits
from daemon.cli.advise import advise
from daemon.cli.check import check
from daemon.cli.demo import demo
from daemon.cli.held import approve, held
from daemon.cli.run import run
from daemon.cli.status import status
from daemon.cli.sync import sync
from daemon.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailsyncd", message="%(prog)s %(version)s")
def mailsyncd() -> None:
    """Keeps IMAP accounts in step with local Maildirs, both ways, and brings POP3 mail down."""


for _command in (run, sync, check, verify, status, held, approve, advise, demo):
    mailsyncd.add_command(_command)


def main() -> None:
    """The console script; exits with one of `daemon.cli.exits`."""
    _insist_on_utf8()
    if importlib.util.find_spec("daemon.daemon") is not None:
        click.echo(
            "mailsyncd: the package python-daemon is installed over this one (both are named daemon); "
            "uninstall python-daemon, then install mailsyncd again",
            err=True,
        )
        sys.exit(exits.USAGE)
    mailsyncd(prog_name="mailsyncd")


def _insist_on_utf8() -> None:
    """Names on the disk are UTF-8 whatever the locale (decision 16): start over in Python's UTF-8 mode (PEP 540)."""
    if sys.getfilesystemencoding().lower() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        env = {**os.environ, "PYTHONUTF8": "1"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)  # noqa: S606 - ourselves
