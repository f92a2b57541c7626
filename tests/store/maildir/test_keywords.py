import asyncio
import imaplib
import os
import socket
import ssl
import subprocess
import sys
import time

import pytest

from daemon.model.errors import Blast
from daemon.model.flags import FORWARDED, NO_FLAGS, SEEN, Flag
from daemon.store.maildir import keywords
from daemon.store.maildir.keywords import KeywordMap, KeywordsLocked, letters_to_flags, parse_map, read_map
from daemon.store.maildir.tree import MaildirTree

WORK, HOME = Flag("Work"), Flag("Home")


def give(garden, *wanted: Flag, used: str = "") -> KeywordMap:
    with garden.maildir() as maildir:
        return keywords.with_letters(maildir, read_map(maildir), wanted, mode=0o600, used_letters=iter(used))


def text(garden) -> str:
    return (garden.root / "dovecot-keywords").read_text()


def test_lines_are_read_as_dovecot_reads_them():
    raw = b"0 Work\n3 $Label1\n26 late\nx bad\n5\n6 two words\n7 \\Seen\n8 br(acket\n9 \xff\n25 Last\n1 $forwarded\n"
    assert parse_map(raw) == {
        "a": "Work",
        "d": "$Label1",
        "z": "Last",
        "b": FORWARDED,
    }


def test_letters_become_flags_and_unknown_ones_are_told():
    known = KeywordMap({"a": WORK})
    assert letters_to_flags("FSa", known) == ({Flag("\\Flagged"), SEEN, WORK}, False)
    assert letters_to_flags("Sb", known) == ({SEEN}, True)
    assert letters_to_flags("QX", known) == (NO_FLAGS, False)


def test_names_compare_without_case():
    assert KeywordMap({"a": WORK}).letters_of(Flag("WORK")) == "a"


def test_forwarded_is_p_and_the_keyword_where_dovecot_gave_it_a_letter():
    assert KeywordMap().letters_of(FORWARDED) == "P"
    assert KeywordMap({"c": FORWARDED}).letters_of(FORWARDED) == "Pc"


def test_forwarded_gets_a_letter_beside_its_own_for_dovecot_to_show_and_takes_none_from_another(garden):
    known = give(garden, FORWARDED, WORK)
    assert (known.letters_of(WORK), known.letters_of(FORWARDED)) == ("a", "Pb")
    assert text(garden) == "0 Work\n1 $Forwarded\n"
    (garden.root / "dovecot-keywords").write_text("".join(f"{at} k{at}\n" for at in range(25)))
    known = give(garden, FORWARDED, WORK)
    assert (known.letters_of(WORK), known.letters_of(FORWARDED)) == ("z", "P")


def test_new_keyword_takes_the_next_free_letter_and_lines_stay(garden):
    (garden.root / "dovecot-keywords").write_text("0 Work\n2 Third\n9 two words")
    known = give(garden, HOME, WORK)
    assert known.letters_of(HOME) == "b"
    assert text(garden) == "0 Work\n2 Third\n9 two words\n1 Home\n"
    assert sorted(path.name for path in garden.root.iterdir()) == [
        "cur",
        "dovecot-keywords",
        "mailsyncd-id",
        "new",
        "tmp",
    ]


def test_letter_of_a_lost_line_is_not_given_again(garden):
    """A file still carries it: it would get a keyword that nobody gave it."""
    assert give(garden, HOME, used="ab").letters_of(HOME) == "c"


def test_unreadable_line_keeps_its_letter(garden):
    (garden.root / "dovecot-keywords").write_bytes(b"0 \xff\n")
    assert give(garden, HOME).letters_of(HOME) == "b"


def test_twenty_seventh_keyword_has_no_letter(garden):
    known = give(garden, *(Flag(f"k{number:02}") for number in range(26)))
    assert len(known.flags) == 26
    before = text(garden)
    assert give(garden, HOME).letters_of(HOME) == ""
    assert text(garden) == before


def test_system_flags_and_impossible_names_get_no_letter(garden):
    give(garden, SEEN, Flag("two words"), Flag("a\nb"))
    assert not (garden.root / "dovecot-keywords").exists()


def test_mode_of_the_file_stays_and_its_time_grows_by_whole_seconds(garden):
    """Dovecot notices a new file by seconds of mtime."""
    file = garden.root / "dovecot-keywords"
    give(garden, WORK)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o660)
    future = int(time.time()) + 1000
    os.utime(file, (future, future))
    give(garden, HOME)
    assert int(file.stat().st_mtime) == future + 1
    assert file.stat().st_mode & 0o777 == 0o660


def test_known_map_is_kept_while_its_file_is_the_same(garden):
    give(garden, WORK)
    with garden.maildir() as maildir:
        known = read_map(maildir)
        assert read_map(maildir, known) is known
        (garden.root / "dovecot-keywords").write_text("0 Work\n1 Home\n")
        assert read_map(maildir, known).letters_of(HOME) == "b"
        (garden.root / "dovecot-keywords").unlink()
        assert read_map(maildir, known).flags == NO_FLAGS


@pytest.mark.timeout(10)
@pytest.mark.parametrize("oddity", ["fifo", "link"])
def test_keyword_file_that_is_no_regular_file_is_neither_read_nor_replaced(garden, oddity):
    file = garden.root / "dovecot-keywords"
    if oddity == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to(garden.put("shared-keywords", b"0 Work\n"))
    known = give(garden, HOME)
    assert known.flags == NO_FLAGS
    assert known.letters_of(HOME) == ""
    assert not file.is_file() or file.is_symlink()


def test_lock_of_a_living_owner_is_waited_for_and_respected(garden, monkeypatch):
    monkeypatch.setattr(keywords, "LOCK_DEADLINE_SECONDS", 0.1)
    lock = garden.put("dovecot-uidlist.lock", f"{os.getpid()}:{socket.gethostname()}".encode())
    with pytest.raises(KeywordsLocked) as raised:
        give(garden, WORK)
    assert raised.value.blast is Blast.MAILBOX
    assert lock.exists()
    assert not (garden.root / "dovecot-keywords").exists()


def test_lock_of_a_dead_owner_is_removed(garden):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    garden.put("dovecot-uidlist.lock", f"{dead.pid}:{socket.gethostname()}".encode())
    assert give(garden, WORK).letters_of(WORK) == "a"
    assert not (garden.root / "dovecot-uidlist.lock").exists()


def test_lock_silent_for_too_long_is_removed(garden):
    lock = garden.put("dovecot-uidlist.lock", b"1:elsewhere")
    os.utime(lock, (time.time() - 200,) * 2)
    assert give(garden, WORK).letters_of(WORK) == "a"


async def test_two_processes_never_give_one_letter_twice(garden):
    trees = [garden.another(), garden.another()]
    entries = await garden.deliver(*[b"x"] * 24)

    async def tag(number: int) -> None:
        entry = entries[number]
        await trees[number % 2].set_flags(".", entry.maildir_name, frozenset({Flag(f"k{number}")}))

    await asyncio.gather(*(tag(number) for number in range(24)))
    found = await garden.tree.scan(".")
    assert [found.entries[entry.maildir_name].flags for entry in entries] == [
        {Flag(f"k{number}")} for number in range(24)
    ]
    assert len(set(text(garden).split()[::2])) == 24


@pytest.mark.dovecot
async def test_real_dovecot_reads_our_letters_and_we_read_its(mailbag, garden):
    """Both programs write one keyword file in turn."""
    mailbag.fill("INBOX", [b"Subject: one\r\n\r\nx\r\n", b"Subject: two\r\n\r\ny\r\n"])
    root = mailbag.server.mailbox_dir(mailbag.user)
    tree = MaildirTree(root, layout="maildir++", account="work", store_id="store-1", pools=garden.pools)
    await tree.claim(adopt=True)
    mailbag.server.own(mailbag.user)

    def imap(*commands: tuple[str, ...]) -> list[str]:
        context = ssl.create_default_context(cafile=mailbag.server.ca_file)
        line = imaplib.IMAP4_SSL("127.0.0.1", mailbag.server.imaps_port, ssl_context=context)
        line.login(mailbag.user, mailbag.password)
        line.select("INBOX")
        answers = [str(line.uid(*command)[1]) for command in commands]
        line.logout()
        return answers

    imap(("STORE", "1", "+FLAGS", "(Theirs)"))
    found = await tree.scan(".")
    first = next(entry for entry in found.entries.values() if Flag("Theirs") in entry.flags)
    changed = await tree.set_flags(
        ".", first.maildir_name, frozenset({Flag("Ours")}), expected_path=first.path
    )
    assert changed.flags == {SEEN, Flag("Theirs"), Flag("Ours")}
    mailbag.server.own(mailbag.user)
    _, answer = imap(("STORE", "2", "+FLAGS", "(Third)"), ("FETCH", "1:2", "(FLAGS)"))
    assert "Theirs" in answer
    assert "Ours" in answer
    found = await tree.scan(".")
    assert {frozenset(entry.flags) for entry in found.entries.values()} == {
        frozenset({SEEN, Flag("Theirs"), Flag("Ours")}),
        frozenset({SEEN, Flag("Third")}),
    }
    assert (root / "dovecot-keywords").read_text() == "0 Theirs\n1 Ours\n2 Third\n"
