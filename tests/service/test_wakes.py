"""Wakes coalesce, and none is lost whenever it comes."""

from daemon.model.ids import INBOX, MailboxName, MaildirName
from daemon.model.local_news import FileEvent, FileNews, LocalNews
from daemon.service.wakes import EVERYTHING, NOTHING, Agenda, WakeReason, Wakes

LISTS = MailboxName("Lists")
MARKED = FileNews(FileEvent.RENAMED, "cur/a:2,S")
GONE = FileNews(FileEvent.UNLINKED, "cur/b:2,")


def test_nothing_gathered_is_an_empty_agenda() -> None:
    assert Wakes().take() == NOTHING
    assert NOTHING.is_empty
    assert not EVERYTHING.is_empty


def test_wakes_for_mailboxes_gather() -> None:
    wakes = Wakes()
    wakes.wake(WakeReason.OPERATION, INBOX)
    wakes.wake(WakeReason.LOCAL, LISTS)
    wakes.wake(WakeReason.LOCAL, LISTS)
    assert wakes.take() == Agenda(
        frozenset({INBOX, LISTS}),
        frozenset({WakeReason.OPERATION, WakeReason.LOCAL}),
        LocalNews(unknown=frozenset({LISTS})),
    )


def test_news_of_files_gather_unless_somebody_cannot_say_which() -> None:
    wakes = Wakes()
    wakes.wake(WakeReason.LOCAL, LISTS, {MaildirName("a"): MARKED})
    wakes.wake(WakeReason.OPERATION, LISTS)
    wakes.wake(WakeReason.LOCAL, LISTS, {MaildirName("b"): GONE})
    assert wakes.take().news == LocalNews(files={LISTS: {"a": MARKED, "b": GONE}})
    wakes.wake(WakeReason.LOCAL, LISTS, {MaildirName("a"): MARKED})
    wakes.wake(WakeReason.REQUEST, LISTS)
    assert wakes.take().news == LocalNews(unknown=frozenset({LISTS}))


def test_wake_for_everything_swallows_the_rest_in_any_order() -> None:
    for order in ((None, INBOX), (INBOX, None)):
        wakes = Wakes()
        for mailbox in order:
            wakes.wake(WakeReason.SCHEDULE, mailbox)
        assert wakes.take().is_everything


def test_taking_empties() -> None:
    wakes = Wakes()
    wakes.wake(WakeReason.SCHEDULE)
    assert not wakes.take().is_empty
    assert wakes.take().is_empty


def test_wake_while_listening_rings_each_time() -> None:
    wakes = Wakes()
    rung: list[int] = []
    with wakes.ringing(lambda: rung.append(1)):
        wakes.wake(WakeReason.SCHEDULE)
        wakes.wake(WakeReason.SCHEDULE)
    wakes.wake(WakeReason.SCHEDULE)
    assert len(rung) == 2


def test_wake_before_listening_is_not_lost() -> None:
    wakes = Wakes()
    wakes.wake(WakeReason.OPERATION, INBOX)
    rung: list[int] = []
    with wakes.ringing(lambda: rung.append(1)):
        assert rung == [1]
    assert wakes.take().only == {INBOX}


def test_only_a_person_distrusts_directory_stamps() -> None:
    for reason in (WakeReason.SCHEDULE, WakeReason.LOCAL, WakeReason.OPERATION):
        assert not NOTHING.plus(reason, INBOX).is_distrustful
    assert NOTHING.plus(WakeReason.SCHEDULE, None).plus(WakeReason.REQUEST, INBOX).is_distrustful


def test_joined_agenda_has_everything_of_both() -> None:
    one = NOTHING.plus(WakeReason.LOCAL, LISTS, {MaildirName("a"): MARKED})
    other = NOTHING.plus(WakeReason.LOCAL, LISTS, {MaildirName("b"): GONE}).plus(WakeReason.OPERATION, INBOX)
    assert one.joined(other) == Agenda(
        frozenset({INBOX, LISTS}),
        frozenset({WakeReason.LOCAL, WakeReason.OPERATION}),
        LocalNews(files={LISTS: {"a": MARKED, "b": GONE}}),
    )
    assert one.joined(EVERYTHING).is_everything


def test_joined_agendas_have_what_both_have() -> None:
    one = NOTHING.plus(WakeReason.SERVER, INBOX)
    other = NOTHING.plus(WakeReason.LOCAL, "a")
    both = one.joined(other)
    assert both.only == {INBOX, "a"}
    assert both.reasons == {WakeReason.SERVER, WakeReason.LOCAL}
    assert both.news == other.news
    assert one.joined(EVERYTHING).is_everything
    assert EVERYTHING.joined(one).is_everything
    assert NOTHING.joined(NOTHING).is_empty


def test_only_what_the_schedule_did_not_ask_for_is_pressing() -> None:
    wakes = Wakes()
    assert not wakes.are_pressing
    wakes.wake(WakeReason.SCHEDULE)
    assert not wakes.are_pressing
    wakes.wake(WakeReason.LOCAL, INBOX)
    assert wakes.are_pressing
    wakes.take()
    assert not wakes.are_pressing
