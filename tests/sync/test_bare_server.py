"""A server with none of the extensions: everything works, by the long way (RFC 3501 and nothing else)."""

import contextlib
from types import SimpleNamespace

import pytest

from daemon.demo.imap.session import EXTENSIONS
from daemon.model.flags import FLAGGED, FORWARDED, SEEN, Flag
from daemon.model.operations import OperationKind
from daemon.model.settings import Tls
from tests.support.bridge import open_bridge, settings_for
from tests.support.server_side import server_side
from tests.sync.meddler import Meddler
from tests.sync.stage import ask, letter, messages, open_stage, put, sha

WRITING = (b"STORE", b"APPEND", b"MOVE", b"COPY", b"EXPUNGE", b"CREATE", b"DELETE", b"RENAME", b"CLOSE")
WORK = Flag("work")


class BareDemo:
    """The server in memory, seen from behind."""

    def __init__(self, stage) -> None:
        self._stage = stage

    def append(self, octets, mailbox="INBOX", flags=()):
        self._stage.deliver(octets, mailbox=mailbox, flags=flags)

    def flags(self, mailbox="INBOX"):
        return {sha(one.octets): one.flags for one in self._stage.box(mailbox).messages.values()}

    def change(self, octets, flags, mailbox="INBOX"):
        box = self._stage.box(mailbox)
        [uid] = [uid for uid, one in box.messages.items() if one.octets == octets]
        box.set_flags(uid, frozenset(flags))

    def expunge(self, octets, mailbox="INBOX"):
        box = self._stage.box(mailbox)
        box.expunge([uid for uid, one in box.messages.items() if one.octets == octets])

    def create(self, mailbox):
        self._stage.user.create(mailbox)


class BareDovecot:
    """A real server, seen by a client of its own."""

    def __init__(self, side) -> None:
        self._side = side

    def append(self, octets, mailbox="INBOX", flags=()):
        self._side.append(octets, mailbox, " ".join(flags))

    def flags(self, mailbox="INBOX"):
        flags = self._side.flags(mailbox)
        return {sha(octets): flags[uid] for uid, octets in self._side.bodies(mailbox).items()}

    def change(self, octets, flags, mailbox="INBOX"):
        self._side.store([self._uid(octets, mailbox)], "", " ".join(flags), mailbox)

    def expunge(self, octets, mailbox="INBOX"):
        self._side.expunge([self._uid(octets, mailbox)], mailbox)

    def create(self, mailbox):
        self._side.create(mailbox)

    def _uid(self, octets, mailbox):
        [uid] = [uid for uid, found in self._side.bodies(mailbox).items() if found == octets]
        return uid


@contextlib.asynccontextmanager
async def bare_demo(path, _):
    # The meddler passes literals on unasked, so that the server knows LITERAL+ and the client does not.
    async with open_stage(path, without=EXTENSIONS - {"LITERAL+"}) as stage, stage.bridge() as bridge:
        stage.line.replace(rb" LITERAL\+", b"")
        yield bridge, BareDemo(stage), stage.line


@contextlib.asynccontextmanager
async def bare_dovecot(path, factory):
    server = factory(capability="IMAP4rev1", auto="no")
    mailbag = SimpleNamespace(server=server, user="bare", password=server.password)
    async with Meddler(server.imap_port) as line:
        settings = settings_for(mailbag, port=line.port, tls=Tls.NONE, ca_file=None)
        async with open_bridge(path / "store", mailbag, settings=settings) as bridge:
            with server_side(mailbag) as side:
                yield bridge, BareDovecot(side), line


@pytest.fixture(params=[bare_demo, pytest.param(bare_dovecot, marks=pytest.mark.dovecot)])
async def bare(request, tmp_path, dovecot_factory):
    async with request.param(tmp_path, dovecot_factory) as (bridge, there, line):
        yield bridge, there, line
        caps = bridge.client.caps
        assert not any(caps.has(name) for name in ("UIDPLUS", "MOVE", "CONDSTORE", "IDLE", "LITERAL+"))


async def settles(bridge, line):
    """A further pass finds nothing and writes nothing."""
    await bridge.sync()
    sent = len(line.commands)
    assert (await bridge.run_pass()).is_quiet
    assert not [one for one in line.commands[sent:] if any(word in one.upper() for word in WRITING)]


async def test_mail_flags_and_keywords_come_down_and_what_is_expunged_goes(bare):
    bridge, there, line = bare
    there.create("Lists")
    for number in range(3):
        there.append(letter(number), flags={"\\Seen"} if number else ())
    there.append(letter(7), "Lists", {"work", "$Forwarded"})
    assert (await bridge.sync()).downloaded == 4
    await settles(bridge, line)
    there.change(letter(0), {"\\Flagged", "work"})
    there.append(letter(8))
    there.expunge(letter(1))
    await settles(bridge, line)
    assert await bridge.digests() == sorted(there.flags())
    shown = {one.content.envelope.subject: one.flags for one in await messages(bridge)}
    assert shown == {
        "letter 0": {FLAGGED, WORK},
        "letter 2": {SEEN},
        "letter 8": frozenset(),
        "letter 7": {WORK, FORWARDED},
    }


async def test_local_flags_keywords_and_new_files_go_up(bare):
    bridge, there, line = bare
    there.append(letter(1))
    await bridge.sync()
    ((name, path),) = (await bridge.files()).items()
    (bridge.tree.root / "dovecot-keywords").write_text("0 work\n")
    path.rename(bridge.tree.root / "cur" / f"{name}:2,FPSa")
    put(bridge, "1.me", letter(2), letters="Sa")
    put(bridge, "2.me", letter(2), letters="")
    result = await bridge.sync()
    assert result.uploaded == 2
    await settles(bridge, line)
    assert there.flags()[sha(letter(1))] == {"\\Flagged", "\\Seen", "$Forwarded", "work"}
    assert await bridge.digests() == sorted([sha(letter(1)), sha(letter(2)), sha(letter(2))])
    assert len(await messages(bridge)) == 3
    assert line.count(b"APPEND") == 2


async def test_local_deletion_is_marked_there_and_does_not_come_back(bare):
    """Sync.md 20: without UIDPLUS nothing is expunged, and the operation says so."""
    bridge, there, line = bare
    for number in range(3):
        there.append(letter(number))
    await bridge.sync()
    known = {one.content.envelope.subject: one for one in await messages(bridge)}
    (await bridge.files())[known["letter 0"].maildir_name].unlink()
    operation = await ask(bridge, known["letter 1"].id)
    await settles(bridge, line)
    assert (await bridge.store.operations.get(operation.id)).state == "marked"
    assert there.flags() == {
        sha(letter(0)): {"\\Deleted"},
        sha(letter(1)): {"\\Deleted"},
        sha(letter(2)): frozenset(),
    }
    assert await bridge.digests() == [sha(letter(2))]
    there.change(letter(0), ())
    await settles(bridge, line)
    assert await bridge.digests() == sorted([sha(letter(0)), sha(letter(2))]), "unmarked by somebody"
    assert not line.count(b"EXPUNGE")


async def test_file_moved_between_mailboxes_arrives_before_its_source_is_marked(bare):
    bridge, there, line = bare
    there.create("Lists")
    there.append(letter(1), flags={"\\Seen"})
    there.append(letter(2))
    await bridge.sync()
    known = {one.content.envelope.subject: one for one in await messages(bridge)}
    path = (await bridge.files())[known["letter 1"].maildir_name]
    path.rename(bridge.tree.root / ".Lists" / "cur" / path.name)
    await settles(bridge, line)
    assert there.flags("Lists") == {sha(letter(1)): {"\\Seen"}}
    assert "\\Deleted" in there.flags()[sha(letter(1))]
    assert await bridge.digests("Lists") == [sha(letter(1))]
    assert await bridge.digests() == [sha(letter(2))]
    wrote = [one for one in line.commands if b"APPEND" in one or b"COPY" in one or b"STORE" in one]
    assert b"STORE" not in wrote[0]


async def test_wish_is_carried_out(bare):
    bridge, there, line = bare
    there.append(letter(1))
    there.append(letter(2))
    await bridge.sync()
    one = (await messages(bridge))[0]
    operation = await ask(bridge, one.id, OperationKind.FLAGS, add={SEEN, WORK})
    await settles(bridge, line)
    assert (await bridge.store.operations.get(operation.id)).state == "done"
    assert {"\\Seen", "work"} in there.flags().values()
