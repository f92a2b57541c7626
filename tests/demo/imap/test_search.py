import pytest

from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.search import read_charset, read_criteria
from daemon.demo.imap.view import View
from daemon.demo.mailbox import Mailbox
from daemon.model.flags import FLAGGED, SEEN, Flag

DAY = 86_400


@pytest.fixture
def view() -> View:
    mailbox = Mailbox(5)
    mailbox.deliver(b"Subject: one\r\nTo: Ada\r\n\r\nApple\r\n", internal_date=0)
    mailbox.deliver(
        b"Subject: folded\r\n two\r\n\r\nPear\r\n", internal_date=DAY, flags=frozenset({SEEN, Flag("$Work")})
    )
    mailbox.deliver(b"Subject: three\r\n\r\n" + b"x" * 500, internal_date=2 * DAY, flags=frozenset({FLAGGED}))
    mailbox.deliver(b"", internal_date=3 * DAY)
    mailbox.expunge([1])
    mailbox.deliver(b"Subject: one again\r\n\r\nApple\r\n", internal_date=4 * DAY)
    return View(mailbox, is_read_only=False)


def found(view: View, criteria: str | bytes) -> list[int]:
    octets = criteria.encode() if isinstance(criteria, str) else criteria
    test = read_criteria(Arguments(octets), view)
    return [message.uid for message in view.by_uid("1:*") if test(message)]


@pytest.mark.parametrize(
    ("criteria", "uids"),
    [
        ("ALL", [2, 3, 4, 5]),
        ("NEW", []),
        ("SEEN", [2]),
        ("UNSEEN", [3, 4, 5]),
        ("UNDELETED", [2, 3, 4, 5]),
        ("FLAGGED UNSEEN", [3]),
        ("KEYWORD $Work", [2]),
        ("UNKEYWORD $Work", [3, 4, 5]),
        ("1:2", [2, 3]),
        ("*", [5]),
        ("UID 3:4,99", [3, 4]),
        ("NOT UID 3", [2, 4, 5]),
        ("OR SEEN FLAGGED", [2, 3]),
        ("(SEEN) OR (FLAGGED) (NOT ALL)", []),
        ("SINCE 3-Jan-1970", [3, 4, 5]),
        ("BEFORE 3-Jan-1970", [2]),
        ("ON 3-Jan-1970", [3]),
        ("LARGER 400", [3]),
        ("SMALLER 1", [4]),
        ("SUBJECT TWO", [2]),
        ('HEADER Subject "one again"', [5]),
        ("BODY apple", [5]),
        ("TEXT three", [3]),
    ],
)
def test_criterion_finds_what_it_names(view, criteria, uids):
    assert found(view, criteria) == uids


def test_mod_seq_finds_what_changed_since(view):
    view.mailbox.set_flags(4, frozenset({SEEN}))
    assert found(view, f"MODSEQ {view.mailbox.highest_mod_seq}") == [4]


def test_literal_is_a_string_like_any_other(view):
    assert found(view, b"SUBJECT {5}\r\nagain") == [5]


@pytest.mark.parametrize(
    "criteria",
    ["", "NONSENSE", "SUBJECT", "ALL ", "7", "SINCE yesterday", "(" * 40 + "ALL" + ")" * 40, "UNX"],
)
def test_criteria_that_mean_nothing_are_refused(view, criteria):
    with pytest.raises(BadCommand):
        found(view, criteria)


def test_charset_must_be_one_that_is_known():
    args = Arguments(b"CHARSET UTF-8 ALL")
    read_charset(args)
    assert args.rest() == b"ALL"
    with pytest.raises(BadCommand):
        read_charset(Arguments(b"CHARSET KOI8-R ALL"))
