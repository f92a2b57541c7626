import os
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.model.errors import StoreError
from daemon.model.ids import INBOX, MailboxName
from daemon.store.maildir import names

LAYOUTS = ["maildir++", "fs"]
mailbox_names = st.text(
    alphabet=st.one_of(st.sampled_from("./\\~\0\n\x7f\x9fcurnewtmpä\ud800"), st.characters(codec=None)),
    max_size=400,
)


def test_message_name_has_mark_and_sizes():
    name = names.NameMaker().message(1700000000.9, size=10, wire_size=12)
    assert re.fullmatch(r"1700000000\.R[0-9a-f]{16}Q1\.mailsyncd,S=10,W=12", name)
    assert names.is_ours(name)


def test_names_differ_at_a_standing_clock_and_among_processes():
    makers = [names.NameMaker(), names.NameMaker()]
    made = {maker.message(5.0, size=1, wire_size=1) for maker in makers for _ in range(1000)}
    assert len(made) == 2000


def test_unmarked_and_foreign_names_are_not_ours():
    assert not names.is_ours(names.NameMaker().unmarked(1.0))
    assert not names.is_ours("1700000000.M1P2.host,S=1,W=1")


def test_tmp_name_is_known_as_own_only_by_its_process():
    maker = names.NameMaker()
    name = maker.tmp(1.0)
    assert maker.is_own_tmp(name)
    assert not names.NameMaker().is_own_tmp(name)


@pytest.mark.parametrize(
    ("file_name", "unique", "letters", "tail"),
    [
        ("a.b.c", "a.b.c", "", ""),
        ("a:2,", "a", "", ""),
        ("a,S=5:2,FSab", "a,S=5", "FSab", ""),
        ("a:2,S,extra", "a", "S", ",extra"),
        ("a:1,old", "a", "", ""),
        ("a:2,S:2,F", "a", "S", ":2,F"),
    ],
)
def test_file_name_splits_at_the_first_colon(file_name, unique, letters, tail):
    name, info = names.split_file_name(file_name)
    assert name == unique
    assert names.split_info(info) == (letters, tail)


@pytest.mark.parametrize(
    ("name", "plus", "fs"),
    [
        ("INBOX", ".", "INBOX"),
        ("INBOX/Sub", ".INBOX.Sub", "INBOX/Sub"),
        ("Sent", ".Sent", "Sent"),
        ("A/B.C", ".A.B\\2eC", "A/B\\2eC"),
        ("Entwürfe", ".Entwürfe", "Entwürfe"),
        ("..", ".\\2e\\2e", "\\2e\\2e"),
        ("~root", ".\\7eroot", "\\7eroot"),
        ("a~b", ".a~b", "a~b"),
        ("x/cur", ".x.\\63ur", "x/\\63ur"),
        ("tmp", ".\\74mp", "\\74mp"),
        ("a\\b", ".a\\5cb", "a\\5cb"),
        ("a\nb\x7f\x85", ".a\\0ab\\7f\\c2\\85", "a\\0ab\\7f\\c2\\85"),
        ("a//b", ".a.\\.b", "a/\\/b"),
        ("\0", ".\\00", "\\00"),
        ("INBOX/mailsyncd-id", ".INBOX.mailsyncd-id", "INBOX/\\6dailsyncd-id"),
        ("subscriptions", ".subscriptions", "\\73ubscriptions"),
    ],
)
def test_directory_follows_the_rule(name, plus, fs):
    """sync.md 26."""
    assert names.directory_of(MailboxName(name), "maildir++") == plus
    assert names.directory_of(MailboxName(name), "fs") == fs


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=400, deadline=None)
@given(name=mailbox_names)
@example(name="")
@example(name="/")
@example(name="../../etc")
@example(name="ü" * 200)
@example(name="\\" * 80)
def test_no_name_leaves_the_root_or_breaks_the_file_system(layout, name):
    directory = names.directory_of(MailboxName(name), layout)
    assert os.path.normpath(directory) == directory
    assert not directory.startswith(("/", ".."))
    steps = names.check_directory(directory)
    for step in steps:
        assert 0 < len(step.encode()) <= 255
        assert step not in {".", "..", "cur", "new", "tmp"}
        assert step.isprintable() or not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in step)
    if layout == "maildir++":
        assert len(steps) <= 1


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=400, deadline=None)
@given(name=mailbox_names)
def test_directory_gives_its_name_back_unless_hashed(layout, name):
    """Names that come back are different names for different directories: the mapping is injective."""
    directory = names.directory_of(MailboxName(name), layout)
    assert names.mailbox_of(directory, layout) in ({name} if "\\_" not in directory else {None})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_long_parts_end_in_a_hash_and_stay_apart(layout):
    one, two = (MailboxName("Ω" * 150 + end) for end in ("1", "2"))
    first, second = names.directory_of(one, layout), names.directory_of(two, layout)
    assert first != second
    assert max(map(len, (first.encode(), second.encode()))) <= 201
    first.encode().decode()


def test_cut_never_divides_an_escape():
    directory = names.directory_of(MailboxName("." * 300), "fs")
    assert re.fullmatch(r"(\\2e)+\\_[0-9a-f]{32}", directory)


def test_many_short_parts_fit_one_file_name_in_maildir_plus():
    one = names.directory_of(MailboxName("/".join(["abcdefgh"] * 60)), "maildir++")
    two = names.directory_of(MailboxName("/".join(["abcdefgh"] * 61)), "maildir++")
    assert one != two
    assert len(one) <= names.MAX_MAILDIR_PLUS_BYTES


@pytest.mark.parametrize(
    "directory", ["", "/", "/etc", "..", "a/../b", "a//b", "a/", "./a", "a/cur", "tmp", "a\0b"]
)
def test_directory_that_leads_elsewhere_is_refused(directory):
    with pytest.raises(StoreError):
        names.check_directory(directory)


@pytest.mark.parametrize("directory", ["Sent", "..a", ".a\\zz", ".a\\ff", ".\\41"])
def test_directory_not_of_our_making_has_no_mailbox(directory):
    assert names.mailbox_of(directory, "maildir++") is None


def test_inbox_is_the_root_only_in_maildir_plus():
    assert names.mailbox_of(".", "maildir++") == INBOX
    assert names.mailbox_of("INBOX", "fs") == INBOX
