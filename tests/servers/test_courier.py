"""What is Courier's own: Maildirs that others write, errors that look like success, and settings that bend the rules."""

import os

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import AuthenticationFailed
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.model.uidset import UidSet
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from tests.servers.test_engine import assert_same, fill
from tests.support import corpus
from tests.support.bridge import open_bridge
from tests.support.dovecot import mail_ids
from tests.support.server_side import server_side
from tests.sync.stage import LeapingClock


@pytest.fixture(params=["courier"])
def kind(request) -> str:
    return request.param


def deliver(mailbag, name, octets, *, mailbox="INBOX", mode=0o600):
    """A file as a delivery agent leaves it in the server's Maildir."""
    path = mailbag.server.mailbox_dir(mailbag.user, mailbox) / "new" / name
    path.write_bytes(octets)
    os.chown(path, *mail_ids())
    path.chmod(mode)
    return path


async def log_in(mailbag, *, tls=Tls.IMPLICIT, password=None) -> ImapClient:
    port = mailbag.server.imaps_port if tls is Tls.IMPLICIT else mailbag.server.imap_port
    endpoint = Endpoint(host="localhost", port=port, tls=tls, ca_file=mailbag.server.ca_file)
    client = await ImapClient.connect(endpoint, clock=SystemClock())
    await client.authenticate(mailbag.user, Secret(password or mailbag.password))
    return client


async def test_starttls_is_taken_and_a_wrong_password_is_refused_as_one(mailbag):
    if not mailbag.server.has_starttls:
        pytest.skip("couriertls finds no user `courier` here")
    await (await log_in(mailbag, tls=Tls.STARTTLS)).logout()
    with pytest.raises(AuthenticationFailed):
        await log_in(mailbag, tls=Tls.STARTTLS, password="wrong")


async def test_files_of_a_delivery_agent_come_as_the_server_tells_them(mailbag, tmp_path):
    """LF as agents write it, CRLF, both, and names without a size."""
    with server_side(mailbag) as server:
        for number, octets in enumerate(
            [
                b"Subject: lf\n\none\ntwo\n",
                b"Subject: crlf\r\n\r\none\r\n",
                b"Subject: mixed\r\n\none\ntwo\r\n",
                b"",
            ]
        ):
            deliver(mailbag, f"{1_700_000_000 + number}.M{number}.host", octets)
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            assert len(await bridge.files()) >= 3
            await assert_same(bridge, server)


async def test_notice_in_place_of_a_message_is_not_the_message(mailbag, tmp_path):
    """QUIRK Courier: what cannot be opened comes as a notice of 129 octets and OK, and may come whole another day."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(2), "\\Seen")
        deliver(mailbag, "1700000009.M9.host,S=30", b"Subject: locked\n\nnot yet\n")
        server.select()
        path = next(mailbag.server.mailbox_dir(mailbag.user).glob("*/1700000009.M9.host*"))
        path.chmod(0)
        assert b"message unavailable" in server.bodies()[3]
        clock = LeapingClock()
        async with open_bridge(tmp_path / "store", mailbag, clock=clock) as bridge:
            assert (await bridge.sync()).failed > 0
            assert len(await bridge.files()) == 2
            path.chmod(0o600)
            clock.ahead = 90_000
            await bridge.disconnect()  # the session keeps the notice open
            await bridge.sync()
            assert len(await bridge.files()) == 3
            await assert_same(bridge, server)


async def test_lost_uid_list_voids_the_uids_and_fetches_nothing_again(mailbag, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(6), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            before = server.uid_validity("INBOX")
            await bridge.disconnect()
            while server.uid_validity("INBOX") == before:
                (mailbag.server.mailbox_dir(mailbag.user) / "courierimapuiddb").unlink(missing_ok=True)
                server.imap.noop()
                with server_side(mailbag) as again:
                    again.select()
            assert (await bridge.sync()).downloaded == 0
            assert len(await bridge.files()) == 6
        with server_side(mailbag) as again:
            async with open_bridge(tmp_path / "store", mailbag) as bridge:
                await assert_same(bridge, again)


async def test_set_of_many_uids_is_cut_to_what_the_server_takes(mailbag):
    """16 KiB a word is Courier's limit; the answer is the same as for one that was not cut."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(4))
    client = await log_in(mailbag)
    await client.select(b"INBOX")
    scan = await client.fetch_entries(UidSet(range(1, 20_000, 2)), with_size=True)
    assert [entry.uid for entry in scan.entries] == [1, 3]
    await client.logout()


@pytest.mark.parametrize("kind", ["courier-bare", "cyrus-bare"], indirect=True)
async def test_without_name_spaces_and_single_expunges_names_stay_whole_and_deletions_marks(
    mailbag, tmp_path
):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(3), "\\Seen")
        fill(server, "Archive", corpus.small(1, seed=2), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).downloaded == 4
            assert await bridge.digests("INBOX/Archive") == server.digests("Archive")
            for path in sorted((await bridge.files()).values())[:1]:
                path.unlink()
            await bridge.sync()
            assert sorted(map(sorted, server.flags().values())) == [
                ["\\Deleted", "\\Seen"],
                ["\\Seen"],
                ["\\Seen"],
            ]
            assert len(await bridge.files()) == 2
            put = bridge.tree.root / "cur" / "new.me.host:2,S"
            put.write_bytes(corpus.small(1, seed=3)[0])
            assert (await bridge.sync()).uploaded == 1
            assert len(server.uids()) == 4
            assert (await bridge.run_pass()).is_quiet
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).is_quiet
            assert len(await bridge.files()) == 3


@pytest.mark.parametrize("kind", ["courier-trash"], indirect=True)
async def test_expunge_that_the_server_turns_into_a_move_ends_there(mailbag, tmp_path):
    """IMAP_MOVE_EXPUNGE_TO_TRASH: what is deleted turns up in Trash, once, and stays deleted where it was."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(3), "\\Seen")
        server.ensure("Trash")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            min((await bridge.files()).values()).unlink()
            await bridge.sync()
            assert (len(server.uids("INBOX")), len(server.uids("Trash"))) == (2, 1)
            assert (len(await bridge.files("INBOX")), len(await bridge.files("Trash"))) == (2, 1)
            await assert_same(bridge, server, "INBOX", "Trash")
