"""A mail reader in front of our tree: a second Dovecot serves what we keep, and what it changes is a local change.

Both servers are real. The one behind has the account; the one in front knows nothing of us and writes keywords, flags
and files as it does in any Maildir (sync.md 26, 27).
"""

import contextlib
import threading
from types import SimpleNamespace

import pytest

from tests.support.bridge import open_bridge
from tests.support.dovecot import temporary_home
from tests.support.lowly import as_lowly_user
from tests.support.server_side import server_side
from tests.sync.stage import entries, letter, messages

ODD = ("$Junk", "NonJunk", "$label1", "user-word", "a.b/c", "x'y~z", "1st", "!", "[tag", "k" * 50)


@pytest.fixture
def front(dovecot_factory, mailbag):
    """Where the store is kept, and the reader's server in front of the account's tree."""
    with temporary_home() as home:
        reader = dovecot_factory(
            auto="no",
            protocols="imap",
            extra=f"mail_location = maildir:{home}/store/mail/work:UTF-8\nmail_plugins = listescape",
        )
        with as_lowly_user(home):
            yield SimpleNamespace(
                path=home / "store",
                reader=SimpleNamespace(server=reader, user="reader", password=mailbag.password),
            )


def by_subject(side, mailbox: str = "INBOX") -> dict[bytes, frozenset[str]]:
    """Flags by message: the two servers have numbers of their own."""
    flags = side.flags(mailbox)
    return {octets: flags[uid] for uid, octets in side.bodies(mailbox).items()}


@contextlib.asynccontextmanager
async def three(front, mailbag, *octets: bytes, flags: str = ""):
    """The engine in step, and a client of either server."""
    with server_side(mailbag) as behind:
        for one in octets:
            behind.append(one, flags=flags)
        async with open_bridge(front.path, mailbag) as bridge:
            await bridge.sync()
            with server_side(front.reader) as reader:
                yield bridge, behind, reader


async def test_keywords_set_by_the_reader_reach_the_server_and_come_off_again(front, mailbag):
    async with three(front, mailbag, letter(1), letter(2)) as (bridge, behind, reader):
        words = ("$Forwarded", *ODD)
        reader.store(reader.uids()[:1], "+", " ".join(words))
        await bridge.sync()
        assert by_subject(behind) == {letter(1): frozenset(words), letter(2): frozenset()}
        reader.store(reader.uids()[:1], "-", " ".join(words[1:]))
        await bridge.sync()
        assert by_subject(behind) == {letter(1): {"$Forwarded"}, letter(2): frozenset()}
        assert (await bridge.run_pass()).is_quiet


async def test_keywords_of_the_server_are_shown_by_the_reader(front, mailbag):
    async with three(front, mailbag, letter(1)) as (bridge, behind, reader):
        behind.store(behind.uids(), "+", " ".join(("$Forwarded", *ODD)))
        await bridge.sync()
        assert by_subject(reader) == {letter(1): frozenset(("$Forwarded", *ODD))}
        ((_, path),) = (await bridge.files()).items()
        assert "P" in path.name.rpartition(",")[2], "for programs that know no keywords"
        behind.store(behind.uids(), "-", "$Forwarded")
        await bridge.sync()
        assert by_subject(reader) == {letter(1): frozenset(ODD)}
        behind.store(behind.uids(), "-", " ".join(ODD[:3]))
        await bridge.sync()
        assert by_subject(reader) == {letter(1): frozenset(ODD[3:])}
        assert (await bridge.run_pass()).is_quiet


async def test_thirty_keywords_survive_whatever_the_reader_does(front, mailbag):
    words = frozenset(f"word{number:02}" for number in range(30))
    async with three(front, mailbag, letter(1)) as (bridge, behind, reader):
        behind.store(behind.uids(), "+", " ".join(sorted(words)))
        await bridge.sync()
        (seen,) = by_subject(reader).values()
        assert len(seen) == 26
        reader.store(reader.uids(), "+", "\\Seen")
        reader.store(reader.uids(), "-", "word03")
        await bridge.sync()
        assert by_subject(behind) == {letter(1): (words - {"word03"}) | {"\\Seen"}}
        (message,) = await messages(bridge)
        assert message.flags == by_subject(behind)[letter(1)]
        assert (await bridge.run_pass()).is_quiet


@pytest.mark.parametrize(("theirs", "ours"), [("work", "Work"), ("$forwarded", "$Forwarded")])
async def test_spelling_of_a_keyword_is_no_difference(front, mailbag, theirs, ours):
    """RFC 5788: the reader's tree and the server have one keyword in two spellings."""
    async with three(front, mailbag, letter(1), letter(2)) as (bridge, behind, reader):
        reader.store(reader.uids()[:1], "+", ours)
        behind.store(behind.uids()[1:], "+", theirs)
        await bridge.sync()
        assert [sorted(map(str.lower, flags)) for flags in by_subject(behind).values()] == [
            [ours.lower()]
        ] * 2
        reader.store(reader.uids(), "-", ours)
        behind.store(behind.uids()[:1], "+", "\\Flagged")
        await bridge.sync()
        assert by_subject(behind)[letter(1)] == {"\\Flagged"}
        assert (await bridge.run_pass()).is_quiet


async def test_both_programs_give_letters_at_the_same_time_and_none_means_two_things(front, mailbag):
    """Dovecot rewrites the keyword file under its lock while we write ours into it."""
    async with three(front, mailbag, *(letter(number) for number in range(12))) as (bridge, behind, reader):
        numbers = reader.uids()

        def read() -> None:
            for at, uid in enumerate(numbers):
                reader.store([uid], "+", f"front{at}")

        for at, uid in enumerate(behind.uids()):
            behind.store([uid], "+", f"behind{at}")
        thread = threading.Thread(target=read)
        thread.start()
        while thread.is_alive():
            await bridge.run_pass()
        thread.join()
        await bridge.sync()
        wanted = {letter(at): frozenset({f"front{at}", f"behind{at}"}) for at in range(12)}
        assert by_subject(behind) == wanted
        assert by_subject(reader) == wanted
        lines = (bridge.tree.root / "dovecot-keywords").read_text().split()
        assert len(set(lines[::2])) == len(set(lines[1::2])) == 24


async def test_letter_nobody_explains_survives_what_we_rename(front, mailbag):
    async with three(front, mailbag, letter(1)) as (bridge, behind, _):
        ((name, path),) = (await bridge.files()).items()
        path.rename(bridge.tree.root / "cur" / f"{name}:2,Sz")
        behind.store(behind.uids(), "+", "\\Flagged work")
        await bridge.sync()
        ((_, path),) = (await bridge.files()).items()
        assert path.name.endswith(":2,FSaz")
        assert by_subject(behind) == {letter(1): {"\\Seen", "\\Flagged", "work"}}
        assert (await bridge.run_pass()).is_quiet


async def test_messages_the_reader_copies_moves_and_deletes_follow_on_the_server(front, mailbag):
    async with three(front, mailbag, letter(1), letter(2), letter(3)) as (bridge, behind, reader):
        behind.create("Old/Mail")
        await bridge.sync()
        first, second, _ = reader.uids()
        reader.store([first], "+", "kept $Forwarded")
        status, data = reader.imap.uid("MOVE", str(first), '"Old/Mail"')
        assert status == "OK", data
        reader.expunge([second])
        reader.append(letter(4), flags="fresh")
        await bridge.sync()
        assert by_subject(behind) == {letter(3): frozenset(), letter(4): {"fresh"}}
        assert by_subject(behind, "Old/Mail") == {letter(1): {"kept", "$Forwarded"}}
        assert by_subject(reader, "Old/Mail") == {letter(1): {"kept", "$Forwarded"}}
        assert (await bridge.run_pass()).is_quiet
        assert all(entry.uid is not None for entry in await entries(bridge))
