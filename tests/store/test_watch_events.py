"""Events in, changed directories out: what is told at once, what waits for its other half, and for how long."""

import pytest
from inotify_simple import Event, flags

from daemon.model.local_news import MOST_FILES, FileEvent, FileNews
from daemon.store import watch_events
from daemon.store.watch_events import (
    EVERYTHING_CHANGED,
    REMOVALS_MOST_SECONDS,
    REMOVALS_SETTLE_SECONDS,
    SETTLE_SECONDS,
    EventSorter,
    LocalChange,
    Place,
    is_mailbox_step,
)

ROOT, INBOX_NEW, INBOX_CUR, LISTS, LISTS_CUR = 1, 2, 3, 4, 5
LATER = SETTLE_SECONDS + 0.001


@pytest.fixture
def sorter() -> EventSorter:
    sorter = EventSorter("maildir++")
    sorter.places = {
        ROOT: Place("."),
        INBOX_NEW: Place(".", "new"),
        INBOX_CUR: Place(".", "cur"),
        LISTS: Place(".Lists"),
        LISTS_CUR: Place(".Lists", "cur"),
    }
    return sorter


def told(sorter: EventSorter, *events: Event, now: float = 0.0) -> LocalChange | None:
    sorter.sort(events, now)
    return sorter.take(now)


def renamed(cookie: int, source: int, old: str, target: int, new: str) -> tuple[Event, Event]:
    return Event(source, flags.MOVED_FROM, cookie, old), Event(target, flags.MOVED_TO, cookie, new)


def test_rename_in_a_mailbox_is_told_at_once(sorter) -> None:
    change = told(sorter, *renamed(7, INBOX_NEW, "a", INBOX_CUR, "a:2,S"))
    assert change == LocalChange(
        directories=frozenset({"."}), files={".": {"a": FileNews(FileEvent.RENAMED, "cur/a:2,S")}}
    )
    assert sorter.take(LATER) is None


def test_deleted_file_is_told_with_its_unique_name(sorter) -> None:
    assert told(sorter, Event(LISTS_CUR, flags.DELETE, 0, "a:2,FS")) is None
    assert sorter.take(LATER) == LocalChange(
        directories=frozenset({".Lists"}),
        files={".Lists": {"a": FileNews(FileEvent.UNLINKED, "cur/a:2,FS")}},
    )


def test_removals_are_told_together_when_no_further_one_follows(sorter) -> None:
    step = REMOVALS_SETTLE_SECONDS / 2
    for number in range(4):
        assert told(sorter, Event(LISTS_CUR, flags.DELETE, 0, f"{number}"), now=number * step) is None
    assert sorter.seconds_left(3 * step) == pytest.approx(REMOVALS_SETTLE_SECONDS)
    change = sorter.take(3 * step + REMOVALS_SETTLE_SECONDS)
    assert set(change.files[".Lists"]) == {"0", "1", "2", "3"}
    assert sorter.seconds_left(LATER) is None


def test_removals_without_end_are_told_in_steps(sorter) -> None:
    now, step = 0.0, REMOVALS_SETTLE_SECONDS / 2
    while now < REMOVALS_MOST_SECONDS:
        assert told(sorter, Event(LISTS_CUR, flags.DELETE, 0, f"{now}"), now=now) is None
        now += step
    assert told(sorter, Event(LISTS_CUR, flags.DELETE, 0, "last"), now=now) is not None


def test_removal_does_not_hold_up_another_mailbox(sorter) -> None:
    events = (Event(LISTS_CUR, flags.DELETE, 0, "a"), *renamed(7, INBOX_CUR, "b:2,", INBOX_CUR, "b:2,S"))
    assert told(sorter, *events).directories == {"."}


def test_move_by_link_and_unlink_is_told_as_one(sorter) -> None:
    """The link waits for a close that never comes; the removal must not be told before it."""
    events = (Event(LISTS_CUR, flags.CREATE, 0, "a:2,S"), Event(INBOX_CUR, flags.DELETE, 0, "a:2,S"))
    assert told(sorter, *events) is None
    assert sorter.take(REMOVALS_SETTLE_SECONDS) is None
    assert sorter.seconds_left(REMOVALS_SETTLE_SECONDS) > 0.0
    assert sorter.take(LATER).files == {
        ".": {"a": FileNews(FileEvent.DEPARTED, "cur/a:2,S")},
        ".Lists": {"a": FileNews(FileEvent.ARRIVED, "cur/a:2,S")},
    }


def test_files_of_a_mailbox_are_not_told_when_they_are_too_many(sorter) -> None:
    events = [Event(INBOX_CUR, flags.MOVED_TO, 0, f"{number}") for number in range(MOST_FILES + 1)]
    assert len(told(sorter, *events[:-1]).files["."]) == MOST_FILES
    assert told(sorter, *events).files == {}
    assert len(told(sorter, events[0]).files["."]) == 1


def test_new_keyword_map_leaves_no_file_known(sorter) -> None:
    change = told(
        sorter,
        *renamed(7, LISTS_CUR, "a", LISTS_CUR, "a:2,S"),
        Event(LISTS, flags.MOVED_TO, 2, "dovecot-keywords"),
    )
    assert change == LocalChange(directories=frozenset({".Lists"}))


def test_move_between_mailboxes_is_told_once_with_both(sorter) -> None:
    change = told(sorter, *renamed(7, INBOX_CUR, "a:2,S", LISTS_CUR, "b:2,"))
    assert change == LocalChange(
        directories=frozenset({".", ".Lists"}),
        files={
            ".": {"a": FileNews(FileEvent.DEPARTED, "cur/a:2,S")},
            ".Lists": {"b": FileNews(FileEvent.ARRIVED, "cur/b:2,")},
        },
    )


def test_move_read_in_two_halves_is_told_when_the_second_comes(sorter) -> None:
    departure, arrival = renamed(7, INBOX_CUR, "a:2,S", LISTS_CUR, "a:2,S")
    assert told(sorter, departure, Event(INBOX_CUR, flags.CLOSE_WRITE, 0, "z")) is None
    assert sorter.seconds_left(0.01) == pytest.approx(SETTLE_SECONDS - 0.01)
    change = told(sorter, arrival, now=0.01)
    assert change.directories == {".", ".Lists"}
    assert set(change.files["."]) == {"a", "z"}
    assert sorter.seconds_left(0.01) is None


def test_departure_without_arrival_is_a_removal_after_its_time(sorter) -> None:
    """sync.md 12: an unpaired MOVED_FROM waits up to 50 ms."""
    assert told(sorter, Event(INBOX_CUR, flags.MOVED_FROM, 7, "a:2,S")) is None
    assert sorter.take(LATER) == LocalChange(
        directories=frozenset({"."}),
        files={".": {"a": FileNews(FileEvent.DEPARTED, "cur/a:2,S")}},
    )


def test_waiting_mailbox_does_not_hold_up_another(sorter) -> None:
    change = told(
        sorter, Event(INBOX_CUR, flags.MOVED_FROM, 7, "a"), Event(LISTS_CUR, flags.CLOSE_WRITE, 0, "b")
    )
    assert change.directories == {".Lists"}


def test_file_made_in_place_is_told_when_it_is_closed(sorter) -> None:
    assert told(sorter, Event(INBOX_CUR, flags.CREATE, 0, "a:2,")) is None
    assert told(sorter, Event(INBOX_CUR, flags.CLOSE_WRITE, 0, "a:2,"), now=0.01).directories == {"."}
    assert sorter.take(LATER) is None


def test_linked_file_is_told_after_its_time(sorter) -> None:
    assert told(sorter, Event(INBOX_CUR, flags.CREATE, 0, "a:2,")) is None
    assert sorter.take(LATER).directories == {"."}


@pytest.mark.parametrize("mask", [flags.CREATE, flags.DELETE, flags.CLOSE_WRITE, flags.MOVED_TO])
def test_dot_files_are_no_messages(sorter, mask: int) -> None:
    assert told(sorter, Event(INBOX_CUR, mask, 0, ".nfs0001")) is None
    assert sorter.seconds_left(0.0) is None


def test_file_renamed_to_a_dot_file_is_gone(sorter) -> None:
    change = told(sorter, *renamed(7, INBOX_CUR, "a:2,", INBOX_CUR, ".a"))
    assert change.files == {".": {"a": FileNews(FileEvent.DEPARTED, "cur/a:2,")}}


def test_new_keyword_map_is_a_change_and_an_index_file_is_none(sorter) -> None:
    assert told(sorter, Event(LISTS, flags.MOVED_TO, 1, "dovecot.index.log")) is None
    assert told(sorter, Event(LISTS, flags.MOVED_TO, 2, "dovecot-keywords")).directories == {".Lists"}


def test_overflow_is_everything_and_lets_nothing_wait(sorter) -> None:
    change = told(sorter, Event(INBOX_CUR, flags.MOVED_FROM, 7, "a"), Event(-1, flags.Q_OVERFLOW, 0, ""))
    assert change is EVERYTHING_CHANGED
    assert sorter.take_unsettled() == {"."}
    assert sorter.take(LATER) is None


def test_mailbox_directory_that_comes_or_goes_unsettles_its_watches(sorter) -> None:
    event = flags.CREATE | flags.ISDIR
    assert told(sorter, Event(ROOT, event, 0, ".New"), Event(LISTS, event, 0, "new")) is None
    assert sorter.take_unsettled() == {".New", ".Lists"}
    assert sorter.take_unsettled() == frozenset()
    told(sorter, Event(ROOT, event, 0, "tmp"), Event(ROOT, event, 0, "stray"), Event(LISTS, event, 0, ".x"))
    assert sorter.take_unsettled() == frozenset()


def test_covered_directory_is_reshaped(sorter) -> None:
    sorter.note_covered([Place(".New"), Place(".New", "cur")], [Place(".Old", "cur"), Place(".Empty")])
    assert sorter.take(0.0) == LocalChange(
        directories=frozenset({".New", ".Old"}), reshaped=frozenset({".New", ".Old"})
    )


def test_watch_that_ended_is_forgotten_and_its_mailbox_reshaped(sorter) -> None:
    assert told(sorter, Event(LISTS_CUR, flags.IGNORED, 0, "")).reshaped == {".Lists"}
    assert LISTS_CUR not in sorter.places
    assert told(sorter, Event(LISTS_CUR, flags.DELETE, 0, "a")) is None


@pytest.mark.parametrize("mask", [flags.MOVE_SELF, flags.DELETE_SELF, flags.UNMOUNT])
def test_root_that_moves_is_lost(sorter, mask: int) -> None:
    told(sorter, Event(ROOT, mask, 0, ""))
    assert sorter.is_lost


def test_files_are_not_told_when_those_of_all_mailboxes_are_too_many(sorter, monkeypatch) -> None:
    monkeypatch.setattr(watch_events, "MOST_FILES_IN_ALL", 3)
    events = [Event(INBOX_CUR, flags.MOVED_TO, 0, f"{number}") for number in range(3)]
    change = told(sorter, *events, Event(LISTS_CUR, flags.MOVED_TO, 0, "a"))
    assert change.directories == {".", ".Lists"}
    assert set(change.files) == {"."}
    assert set(told(sorter, Event(LISTS_CUR, flags.MOVED_TO, 0, "a")).files) == {".Lists"}


def test_name_that_is_no_text_leaves_no_file_known(sorter) -> None:
    change = told(
        sorter, Event(LISTS_CUR, flags.MOVED_TO, 0, "a"), Event(LISTS_CUR, flags.MOVED_TO, 0, "\udcff")
    )
    assert change == LocalChange(directories=frozenset({".Lists"}))


@pytest.mark.parametrize(
    ("layout", "parent", "name", "expected"),
    [
        ("maildir++", ".", ".Sent", True),
        ("maildir++", ".", "Sent", False),
        ("maildir++", ".Sent", ".x", False),
        ("fs", ".", "Sent", True),
        ("fs", "Sent", "2024", True),
        ("fs", "Sent", "cur", False),
        ("fs", ".", ".notmuch", False),
    ],
)
def test_steps_to_mailboxes_follow_the_layout(layout, parent, name, expected: bool) -> None:
    assert is_mailbox_step(parent, name, layout) is expected
