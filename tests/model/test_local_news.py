"""News of files come together: what is left of two events is what a look at the file would show."""

import pytest

from daemon.model import local_news
from daemon.model.ids import INBOX, MaildirName
from daemon.model.local_news import MOST_FILES, NO_NEWS, FileEvent, FileNews, LocalNews

A = MaildirName("a")
OLD, NEW = "cur/a:2,", "cur/a:2,S"
ARRIVED, RENAMED, UNLINKED, DEPARTED = FileEvent


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ((ARRIVED, OLD), (RENAMED, NEW), (ARRIVED, NEW)),
        ((RENAMED, OLD), (RENAMED, NEW), (RENAMED, NEW)),
        ((RENAMED, OLD), (ARRIVED, NEW), (ARRIVED, NEW)),
        ((RENAMED, NEW), (UNLINKED, NEW), (UNLINKED, NEW)),
        ((ARRIVED, NEW), (DEPARTED, NEW), (DEPARTED, NEW)),
        # link and unlink: the second name stays
        ((ARRIVED, NEW), (UNLINKED, OLD), (RENAMED, NEW)),
        ((UNLINKED, OLD), (ARRIVED, NEW), (RENAMED, NEW)),
        ((DEPARTED, OLD), (ARRIVED, OLD), (RENAMED, OLD)),
        ((UNLINKED, OLD), (DEPARTED, NEW), (DEPARTED, NEW)),
    ],
)
def test_two_events_are_told_as_one(first, second, both) -> None:
    assert FileNews(*first).then(FileNews(*second)) == FileNews(*both)


def test_news_of_one_mailbox_leave_the_others_alone() -> None:
    news = NO_NEWS.plus(INBOX, {A: FileNews(ARRIVED, OLD)}).plus("Lists", None)
    assert news == LocalNews(files={INBOX: {A: FileNews(ARRIVED, OLD)}}, unknown=frozenset({"Lists"}))


def test_mailbox_that_is_unknown_stays_unknown() -> None:
    news = NO_NEWS.plus(INBOX, {A: FileNews(ARRIVED, OLD)}).plus(INBOX, None)
    assert news.plus(INBOX, {A: FileNews(UNLINKED, OLD)}) == LocalNews(unknown=frozenset({INBOX}))


def test_too_many_files_are_as_good_as_unknown() -> None:
    many = {MaildirName(f"{number}"): FileNews(ARRIVED, f"new/{number}") for number in range(MOST_FILES)}
    news = NO_NEWS.plus(INBOX, many)
    assert len(news.files[INBOX]) == MOST_FILES
    assert news.plus(INBOX, {A: FileNews(ARRIVED, OLD)}).unknown == {INBOX}


def test_joined_news_are_those_of_both() -> None:
    one = NO_NEWS.plus(INBOX, {A: FileNews(ARRIVED, OLD)}).plus("Lists", None)
    other = NO_NEWS.plus(INBOX, {A: FileNews(RENAMED, NEW)}).plus("Lists", {A: FileNews(RENAMED, NEW)})
    assert one.joined(other) == LocalNews(
        files={INBOX: {A: FileNews(ARRIVED, NEW)}}, unknown=frozenset({"Lists"})
    )


def test_too_many_files_in_all_are_unknown_where_they_became_too_many(monkeypatch) -> None:
    monkeypatch.setattr(local_news, "MOST_FILES_IN_ALL", 2)
    two = {A: FileNews(ARRIVED, OLD), MaildirName("b"): FileNews(ARRIVED, "new/b")}
    assert NO_NEWS.plus(INBOX, two).plus("Lists", {A: FileNews(ARRIVED, OLD)}) == LocalNews(
        files={INBOX: two}, unknown=frozenset({"Lists"})
    )
