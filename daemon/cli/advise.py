"""`mailsyncd advise`: look at a server over both protocols, and say which of the two fits and why."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option

if TYPE_CHECKING:
    from daemon.model.advice import Advice
    from daemon.probe.candidates import Candidates
    from daemon.probe.looks import ImapLook, Pop3Look, Silence


@click.command(short_help="Say whether IMAP or POP3 fits, and why.")
@config_option
@click.argument("address_or_host")
@click.option("--port", type=click.IntRange(1, 65535), help="Knock at this port only, over both protocols.")
@click.option("--login", "username", metavar="USER", help="Log in as well, to see how much mail there is.")
@click.option(
    "--password-command", metavar="COMMAND", help="A command that prints the password; else it is asked for."
)
@click.option("--several-devices/--one-device", "devices", default=None, help="Where do you read this mail?")
@click.option(
    "--empty-server/--keep-on-server",
    "empty",
    default=None,
    help="Shall mail leave the server once it is here?",
)
@click.option(
    "--local-deletions/--deletions-everywhere", "local", default=None, help="Does a deletion here stay here?"
)
@click.option("--slow-line/--fast-line", "slow", default=None, help="Is the line slow, or paid by volume?")
@click.option("--json", "as_json", is_flag=True, help="The advice as JSON; nothing is asked.")
def advise(
    *,
    config: Path | None,
    address_or_host: str,
    port: int | None,
    username: str | None,
    password_command: str | None,
    devices: bool | None,
    empty: bool | None,
    local: bool | None,
    slow: bool | None,
    as_json: bool,
) -> None:
    """Look at the server of an address, or at a host, over IMAP and POP3, and say which of the two fits.

    On a terminal it asks what you want, unless the options say it.

    \b
    Exit status: 0 there is a way, 1 neither answers, 2 usage.
    """  # noqa: D301 - click reads the backspace
    import asyncio  # noqa: PLC0415

    from daemon.model.advice import Wants  # noqa: PLC0415 - not needed for help
    from daemon.probe import advice as scales  # noqa: PLC0415
    from daemon.probe.candidates import candidates_for  # noqa: PLC0415

    try:
        candidates = candidates_for(address_or_host, port=port)
    except ValueError as error:
        complain(str(error))
        sys.exit(exits.USAGE)
    is_asking = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    wants = Wants(
        has_several_devices=_answer(devices, "Do you read this mail on several devices?", is_asking),
        is_server_to_be_emptied=_answer(
            empty, "Shall mail leave the server once it is stored here?", is_asking
        ),
        are_deletions_to_stay_local=_answer(
            local, "Shall mail you delete here stay on the server?", is_asking
        ),
        is_line_slow=_answer(slow, "Is your line slow, or paid by volume?", is_asking),
    )
    imap, pop3 = asyncio.run(_look(candidates, _login(username, password_command)))
    owner = scales.Owner(
        username=username or candidates.username,
        password_command=tuple(shlex.split(password_command or "")),
    )
    advice = scales.advise(imap, pop3, wants, owner)
    if as_json:
        click.echo(json.dumps(asdict(advice), indent=2))
    else:
        click.echo("\n".join(shown(advice, imap, pop3, config)))
    sys.exit(exits.FAILED if advice.protocol is None else exits.OK)


def shown(
    advice: Advice, imap: ImapLook | Silence, pop3: Pop3Look | Silence, config: Path | None
) -> list[str]:
    """The advice as lines for a person."""
    from daemon.cli import words  # noqa: PLC0415

    lines = ["What answers", f"  IMAP  {_seen(imap)}", f"  POP3  {_seen(pop3)}", "", advice.headline]
    lines += [f"  - {reason}" for reason in advice.reasons]
    if advice.cautions:
        lines += ["", "Good to know"]
        lines += [f"  - {caution}" for caution in advice.cautions]
    lines = [words.printable(line) for line in lines]
    if advice.config is not None:
        lines += ["", f"For {config or 'the config file'}:", "", *advice.config.splitlines()]
    return lines


def _seen(look: ImapLook | Pop3Look | Silence) -> str:
    from daemon.cli import words  # noqa: PLC0415
    from daemon.model.settings import Tls  # noqa: PLC0415
    from daemon.probe.looks import ImapLook, Silence  # noqa: PLC0415

    if isinstance(look, Silence):
        return "does not answer"
    tls = look.endpoint.tls
    where = f"{look.endpoint.host}:{look.endpoint.port} ({'in clear' if tls is Tls.NONE else f'TLS, {tls.value}'})"
    ways = ", ".join(sorted(look.mechanisms)) or "user name and password"
    if isinstance(look, ImapLook):
        push = "NOTIFY" if look.has_notify else "IDLE" if look.has_idle else "no push"
        facts = f"{push}; login by {ways}"
    else:
        ids = "unknown until login" if look.has_uidl is None else "yes" if look.has_uidl else "no"
        facts = f"unique ids: {ids}; login by {ways}"
    if look.contents is not None:
        facts += f"; {words.count(look.contents.messages, 'message')}"
        if look.contents.octets is not None:
            facts += f", {words.size(look.contents.octets)}"
    return f"{where}; {facts}"


def _answer(given: bool | None, question: str, is_asking: bool) -> bool | None:
    if given is not None or not is_asking:
        return given
    return click.confirm(question, default=None)


def _login(username: str | None, password_command: str | None) -> tuple[str, str] | None:
    if username is None:
        return None
    if password_command is None:
        return username, click.prompt("Password", hide_input=True, err=True)
    import asyncio  # noqa: PLC0415

    from daemon.credentials.command import read_output  # noqa: PLC0415
    from daemon.model.errors import CredentialUnavailable  # noqa: PLC0415

    try:
        octets = asyncio.run(read_output(tuple(shlex.split(password_command)), os.environ))
    except CredentialUnavailable as error:
        complain(str(error))
        sys.exit(exits.USAGE)
    return username, octets.split(b"\n", 1)[0].decode()


async def _look(
    candidates: Candidates, login: tuple[str, str] | None
) -> tuple[ImapLook | Silence, Pop3Look | Silence]:
    import asyncio  # noqa: PLC0415

    from daemon.model.clock import SystemClock  # noqa: PLC0415
    from daemon.model.secret import Secret  # noqa: PLC0415
    from daemon.probe.looks import look_at_imap, look_at_pop3  # noqa: PLC0415

    known = None if login is None else (login[0], Secret(login[1]))
    clock = SystemClock()
    imap, pop3 = await asyncio.gather(
        look_at_imap(candidates.imap, known, clock), look_at_pop3(candidates.pop3, known, clock)
    )
    return imap, pop3
