"""`mailsyncd advise`: look at a server over both protocols, and say which of the two fits and why."""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from daemon.cli import exits
from daemon.cli.options import complain, config_option

if TYPE_CHECKING:
    from daemon.model.advice import Consultation, ServerSeen, Wants
    from daemon.probe.blocks import Owner
    from daemon.probe.candidates import Candidates

_WIDTH: Final = 100  # columns


@click.command(short_help="Say whether IMAP or POP3 fits, and why.")
@config_option
@click.argument("address_or_host")
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="Knock at this port only, over both protocols; may be given twice.",
)
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
    ports: tuple[int, ...],
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
    from daemon.model.advice import Wants  # noqa: PLC0415 - not needed for help
    from daemon.probe.blocks import Owner  # noqa: PLC0415
    from daemon.probe.candidates import candidates_for  # noqa: PLC0415

    try:
        candidates = candidates_for(address_or_host, ports=ports)
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
    login = _login(username, password_command)
    owner = Owner(
        username=username or candidates.username,
        password_command=tuple(shlex.split(password_command or "")),
    )
    found = _consult(candidates, login, wants, owner)
    if as_json:
        click.echo(
            json.dumps(
                {**asdict(found.advice), "imap": _plain(found.imap), "pop3": _plain(found.pop3)}, indent=2
            )
        )
    else:
        click.echo("\n".join(shown(found, config)))
    sys.exit(exits.FAILED if found.advice.protocol is None else exits.OK)


def shown(found: Consultation, config: Path | None) -> list[str]:
    """The advice as lines for a person."""
    from daemon.cli import words  # noqa: PLC0415

    advice = found.advice
    lines = ["What answers", *_seen("IMAP", found.imap), *_seen("POP3", found.pop3), "", advice.headline]
    lines += _items(advice.reasons)
    if advice.cautions:
        lines += ["", "Good to know", *_items(advice.cautions)]
    lines = [words.printable(line) for line in lines]
    if advice.config is not None:
        lines += ["", *_for_the_file(advice.config, config)]
    return lines


def _seen(protocol: str, server: ServerSeen | None) -> list[str]:
    from daemon.cli import words  # noqa: PLC0415

    if server is None:
        return [f"  {protocol}  does not answer"]
    line = "not encrypted, this machine itself" if server.tls == "none" else "encrypted"
    facts = [*server.facts, f"login by {', '.join(server.mechanisms) or 'user name and password'}"]
    if server.messages is not None:
        there = f"holds {words.count(server.messages, 'message')}"
        if protocol == "IMAP" and server.mailboxes is not None:
            places = "mailbox" if server.mailboxes == 1 else "mailboxes"
            there += f" in {server.mailboxes:,} {places}"
        if server.octets is not None:
            there += f", {words.size(server.octets)}"
        facts.append(there)
    return [f"  {protocol}  {server.host}:{server.port} ({line})", *(f"        {fact}" for fact in facts)]


def _items(sentences: Iterable[str]) -> list[str]:
    """One item a sentence, wrapped for a terminal."""
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(
            sentence,
            width=_WIDTH,
            initial_indent="  - ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _for_the_file(block: str, config: Path | None) -> list[str]:
    """The block with where it belongs: a whole file where there is none yet."""
    from daemon.config.locate import config_home, find_config  # noqa: PLC0415
    from daemon.model.errors import ConfigError  # noqa: PLC0415

    home = Path(os.environ.get("HOME") or Path.home())
    try:
        file = find_config(config, os.environ, home=home)
    except ConfigError:
        file = config_home(os.environ, home) / "mailsyncd" / "config.toml"
    if file.exists():
        lines = [f"Add this to {file}:", "", *block.splitlines()]
    else:
        store = ["[store]", 'path = "$XDG_DATA_HOME/mailsyncd"   # where the mail is to lie', ""]
        lines = [f"Save this as {file}:", "", *store, *block.splitlines()]
    return [*lines, "", "# `mailsyncd check` looks the file over; `mailsyncd verify mail` tries the account."]


def _plain(server: ServerSeen | None) -> dict[str, object] | None:
    return None if server is None else asdict(server)


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


def _consult(
    candidates: Candidates, login: tuple[str, str] | None, wants: Wants, owner: Owner
) -> Consultation:
    import asyncio  # noqa: PLC0415

    from daemon.model.clock import SystemClock  # noqa: PLC0415
    from daemon.model.secret import Secret  # noqa: PLC0415
    from daemon.probe.consultation import consult  # noqa: PLC0415

    known = None if login is None else (login[0], Secret(login[1]))
    return asyncio.run(consult(candidates, known, wants, owner, SystemClock()))
