"""Servers that flood us lose their line for a reason that is told, cost little memory and disturb nobody else."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation, Service, eventually
from tests.support import corpus, hostile_server

MOST_MIB = 112.0  # the bound of tests/benchmarks/memory.py
REASONS = {
    "flood": "flood",
    "literal": "message_too_large",
    "parentheses": "protocol",
}
"""What the status says of the attacks that the purpose names."""

# What is news ends the wait, and then it is the clock or the count that runs out first.
LEAVES_IDLE = "flood timeout"
FURTHER = [
    {"greeting": "not_imap", "greeting_lines": "flood", "line": "line_too_long", "continuations": "protocol"},
    {"idle": "flood", "idle_exists": LEAVES_IDLE, "idle_fetch": LEAVES_IDLE, "idle_expunge": LEAVES_IDLE},
    {"idle_vanished": LEAVES_IDLE, "idle_still_here": "flood", "unasked_fetch": "flood", "mixture": "flood"},
    {"mixture_select": "flood", "code": "line_too_long", "codes": "flood", "enabled": "flood"},
    {"flags": "flood", "capabilities": "flood", "unordered": "qresync_malformed", "drip": "too_slow"},
    {"mailboxes": "too_many_mailboxes"},
    {"status": "too_many_mailboxes"},
    {"vanished": "flood"},
]
"""All others, a few at once: how each may end."""

MOST_MIB_OF_A_LARGE_TREE = 120.0
"""A hundred thousand mailboxes are no attack, so their names are kept."""


def add_hostile(installation: Installation, ports: dict[str, int]) -> None:
    secret = installation.home / "hostile.password"
    secret.write_text("secret\n", encoding="ascii")
    secret.chmod(0o600)
    for name, port in ports.items():
        installation.accounts[name] = {
            "protocol": "imap",
            "host": "127.0.0.1",
            "port": port,
            "tls": "none",
            "username": "ada",
            "password_file": str(secret),
        }


def peak_mib(pid: int) -> float:
    """The most memory this process has had (proc(5), VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmHWM")


async def reasons_of(service: Service, names: list[str]) -> dict[str, str]:
    """Why each account lost its line, once all have."""
    found: dict[str, str] = {}

    async def probe() -> bool:
        accounts = (await service.get("/v1/status"))["accounts"]
        found.update((name, accounts[name]["reason"]) for name in names if accounts[name]["reason"])
        return len(found) == len(names)

    await eventually(probe, seconds=90)
    return found


async def test_flood_huge_literal_and_million_parentheses_cost_their_accounts_the_line_and_no_more(
    installation, mailbag
):
    """Mail of the good account keeps coming and the API keeps answering while three servers do their worst."""
    mailbag.fill("INBOX", corpus.small(3))
    with hostile_server.start(*REASONS) as ports:
        add_hostile(installation, ports)
        async with installation.running() as service:
            ended = asyncio.ensure_future(reasons_of(service, list(REASONS)))
            began = time.monotonic()
            count = 3
            while not ended.done() or time.monotonic() - began < 2:
                mailbag.fill("INBOX", corpus.small(1, seed=100 + count))
                count += 1

                async def has_come(expected: int = count) -> bool:
                    return len(await service.messages("limit=500&account=work")) == expected

                await eventually(has_come)
            assert await ended == REASONS
            assert (await service.account())["state"] in {"idle", "syncing"}
            for name in REASONS:
                status = await service.account(name)
                assert status["total"] == 0
                assert status["state"] in {"offline", "starting", "syncing"}, (
                    "it tries again, later and later"
                )
            assert peak_mib(service.pid) < MOST_MIB


@pytest.mark.slow
@pytest.mark.parametrize("reasons", FURTHER, ids="-".join)
async def test_every_other_attack_ends_in_its_reason_within_the_same_memory(installation, mailbag, reasons):
    with hostile_server.start(*reasons) as ports:
        add_hostile(installation, ports)
        async with installation.running() as service:
            for name, reason in (await reasons_of(service, list(reasons))).items():
                assert reason in reasons[name].split(), name
            mailbag.fill("INBOX", corpus.small(1))

            async def has_come() -> bool:
                return len(await service.messages("limit=500&account=work")) == 1

            await eventually(has_come)
            is_large_tree = not reasons.keys().isdisjoint({"mailboxes", "status"})
            assert peak_mib(service.pid) < (MOST_MIB_OF_A_LARGE_TREE if is_large_tree else MOST_MIB)


async def test_evil_names_of_mailboxes_stay_below_the_accounts_tree(installation):
    """Each is served under a name of its own, and nothing is written beside the tree."""
    installation.accounts.clear()
    with hostile_server.start("names") as ports:
        add_hostile(installation, ports)
        async with installation.running() as service:
            await service.until_state("idle", account="names")
            mailboxes = (await service.get("/v1/accounts/names/mailboxes"))["items"]
    tree = installation.store / "mail"
    assert [path.name for path in tree.iterdir()] == ["names"]
    directories = [path for path in (tree / "names").rglob("*") if path.name == "cur"]
    assert len({one["name"] for one in mailboxes}) == len(mailboxes) == len(directories)
    assert len(mailboxes) > 20
    assert not [path for path in installation.store.rglob("*") if "\0" in path.name or "\x1b" in path.name]
