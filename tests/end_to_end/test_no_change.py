"""A pass in which nothing has changed says and hears the same whatever number of messages there are."""

import re

import pytest

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.proxy import WireProxy, WireSession

NUMBER = re.compile(rb"\d+")
CHANCE = re.compile(rb" \([\d.+ ]+ secs\)\.|\\(?:Un)?[Mm]arked ?")
"""How long Dovecot took, and what it says of its own cache."""

WAITING = re.compile(rb"DONE|IDLE|Idle|idling|NOOP")
"""What is said before the pass and after it."""


def without_numbers(octets: bytes) -> list[bytes]:
    """The lines, numbers left out: they are as long as they are. The order of mailboxes is the server's."""
    lines = NUMBER.sub(b"#", CHANCE.sub(b"", octets)).splitlines()
    return sorted(line for line in lines if not WAITING.search(line))


async def until_at_rest(session: WireSession, begin: int) -> None:
    """Return once the look that follows a pass after two seconds, with NOOP, is over and the line waits again."""

    async def rests() -> bool:
        _, noop, rest = bytes(session.to_server[begin:]).rpartition(b" NOOP\r\n")
        return bool(noop) and rest.endswith(b" IDLE\r\n") and session.to_client.endswith(b"+ idling\r\n")

    await eventually(rests)


async def pass_over(installation, mailbag, count: int) -> tuple[list[bytes], list[bytes]]:
    """What a pass of the running service says and hears that is asked for when there is nothing to do."""
    for mailbox in ("INBOX", "Archive", "Lists"):
        mailbag.fill(mailbox, corpus.small(count))
    async with WireProxy(mailbag.server.imap_port) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        async with installation.running() as service:
            await service.until_state("idle")
            assert (await service.account())["total"] == 3 * count
            await service.post("/v1/accounts/work/sync?wait=60")
            [session] = proxy.sessions
            await until_at_rest(session, 0)
            said, heard = len(session.to_server), len(session.to_client)
            job = await service.post("/v1/accounts/work/sync?wait=60")
            assert job["state"] == "done", job
            await until_at_rest(session, said)
            return (
                without_numbers(bytes(session.to_server[said:])),
                without_numbers(bytes(session.to_client[heard:])),
            )


@pytest.mark.slow
async def test_pass_without_changes_says_and_hears_as_much_for_1000_messages_as_for_10(install, dovecot):
    from tests.conftest import Mailbag

    few = await pass_over(install(), Mailbag(dovecot, "few-messages"), 10)
    many = await pass_over(install(), Mailbag(dovecot, "many-messages"), 1000)
    assert many == few
    said, heard = many
    assert not [line for line in said if b"FETCH" in line or b"SEARCH" in line]
    assert [line for line in said if b"LIST" in line]
    numbers = [line for line in heard if line.startswith(b"* STATUS")]
    assert len(numbers) == 7, "three mailboxes, and Dovecot's four"
