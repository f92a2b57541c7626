"""What commands share: `--config`, reading it, and saying what is wrong, one line a problem."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from daemon.cli import exits

if TYPE_CHECKING:
    from daemon.model.errors import MailError
    from daemon.model.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    "config",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The config file. Else: $MAILSYNCD_CONFIG, ~/.config/mailsyncd/config.toml, /etc/mailsyncd/config.toml.",
)


def log_level_option(*, default: str) -> Callable[[Command], Command]:
    """`--log-level`."""
    return click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default=default,
        show_default=True,
        help="The least important thing to log.",
    )


def settings_or_exit(config: Path | None) -> Settings:
    """The settings; exits with 2 after naming every problem on standard error."""
    from daemon.config import load_settings  # noqa: PLC0415 - pydantic takes 80 ms, and help needs none of it
    from daemon.model.errors import ConfigError  # noqa: PLC0415

    try:
        return load_settings(config, os.environ)
    except ConfigError as error:
        exit_with(exits.USAGE, error)


def exit_with(code: int, error: MailError) -> NoReturn:
    """Say what is wrong and what to do, and leave."""
    complain(str(error) + (f"; {error.remedy}" if error.remedy else ""))
    sys.exit(code)


def complain(text: str) -> None:
    """Each line of `text` on standard error."""
    for line in text.splitlines():
        click.echo(f"mailsyncd: {line}", err=True)
