"""`mailsyncd status`: what the running service says."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option, settings_or_exit


@click.command(short_help="Show what the running service says.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="The service's answer as it is (GET /v1/status).")
def status(config: Path | None, as_json: bool) -> None:
    """Show what the running service says of its accounts.

    \b
    Exit status: 0 all accounts healthy, 1 not, 2 config, 3 no service.
    """  # noqa: D301 - click reads the backspace
    settings = settings_or_exit(config)

    from daemon.cli.client import ControlClient, NoService, ServiceRefused  # noqa: PLC0415 - not needed for help

    try:
        with ControlClient(settings.store.path) as client:
            answer = client.get("/v1/status")
    except NoService as error:
        complain(str(error))
        sys.exit(exits.NO_SERVICE)
    except ServiceRefused as error:
        complain(f"the service refused to answer: {error}")
        sys.exit(exits.FAILED)
    click.echo(json.dumps(answer, indent=2) if as_json else "\n".join(shown(answer)))
    sys.exit(exits.OK if answer.get("state") == "ok" else exits.FAILED)


def shown(answer: Mapping[str, object]) -> list[str]:
    """The answer as lines for a person: a table of accounts, and under it what is wrong and what to do."""
    from daemon.cli import words  # noqa: PLC0415

    accounts = _members(answer.get("accounts"))
    up = words.duration(_number(answer.get("uptime_seconds")))
    lines = [f"mailsyncd {answer.get('version')}, {answer.get('state')}, up {up}"]
    if not accounts:
        return [*lines, "No accounts in the configuration."]
    rows = [("ACCOUNT", "STATE", "UNREAD", "TOTAL", "LAST SYNC")]
    notes: list[str] = []
    for account, told in accounts.items():
        one = _members(told)
        age = one.get("last_sync_age_seconds")
        rows.append(
            (
                words.printable(account),
                words.printable(str(one.get("state"))),
                f"{int(_number(one.get('unread'))):,}",
                f"{int(_number(one.get('total'))):,}",
                "never" if age is None else f"{words.duration(_number(age))} ago",
            )
        )
        if one.get("reason"):
            notes.append(words.printable(f"{account}: {_why(one)}"))
    lines += words.table(rows, right=(False, False, True, True, False))
    return lines + (["", *notes] if notes else [])


def _why(one: Mapping[str, object]) -> str:
    why = str(one.get("detail") or one.get("reason"))
    if one.get("remedy"):
        why += f"; {one['remedy']}"
    if one.get("retry_at"):
        why += f" (next try at {one['retry_at']})"
    return why


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
