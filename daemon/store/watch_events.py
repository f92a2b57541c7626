"""Events of the tree, sorted: what inotify says in, which mailbox directories changed out, and what became of which file.

Pure: no descriptor, no clock of its own; times are monotonic seconds that the caller hands in. A rename between two
mailboxes is two events that may be read apart: a departure waits for its arrival (sync.md 12), so that both mailboxes
are told together. A file that is made in place waits until it is closed: a message half written is no message. Both
wait `SETTLE_SECONDS` at most. Removals wait until no further one follows, so that a mailbox being emptied, or a
directory being taken away, is told as one thing and not as its first few files. Everything else is told at once.
Source: inotify(7).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from inotify_simple import Event, flags

from daemon.model.ids import MaildirName
from daemon.model.local_news import (
    MOST_FILES,
    MOST_FILES_IN_ALL,
    FileEvent,
    FileNews,
    NewsOfFiles,
)
from daemon.store.maildir.keywords import KEYWORDS_FILE
from daemon.store.maildir.names import MAILDIR_PARTS, Layout, is_text, split_file_name

SETTLE_SECONDS: Final = 0.05  # sync.md 12
REMOVALS_SETTLE_SECONDS: Final = 0.025  # rm takes less than a millisecond from one file to the next
REMOVALS_MOST_SECONDS: Final = 0.25  # a program that removes slowly is followed in steps

WATCHED_PARTS: Final = ("new", "cur")  # never tmp/: what happens there concerns nobody

# As plain integers: an event is tested against them a dozen times, and a burst has thousands of events.
_CREATE: Final = int(flags.CREATE)
_DELETE: Final = int(flags.DELETE)
_MOVED_FROM: Final = int(flags.MOVED_FROM)
_MOVED_TO: Final = int(flags.MOVED_TO)
_CLOSE_WRITE: Final = int(flags.CLOSE_WRITE)
_IGNORED: Final = int(flags.IGNORED)
_IS_DIRECTORY: Final = int(flags.ISDIR)
_OVERFLOWED: Final = int(flags.Q_OVERFLOW)
_LOST: Final = int(flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT)

MAILBOX_MASK: Final = _CREATE | _DELETE | _MOVED_FROM | _MOVED_TO | int(flags.ONLYDIR)
PART_MASK: Final = MAILBOX_MASK | _CLOSE_WRITE
ROOT_MASK: Final = MAILBOX_MASK | int(flags.DELETE_SELF | flags.MOVE_SELF)


@dataclass(frozen=True, slots=True)
class Place:
    """What a watch is on: a mailbox's directory itself (`part` empty), or its `new` or `cur`."""

    directory: str
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChange:
    """Mailbox directories, relative to the root, in which something changed.

    `reshaped` are those that came, went or were renamed. `is_everything`: events were lost, any directory may have
    changed. `files` has the directories of which every change is known, and what became of each file: hints that need a
    look before anything is inferred. A directory that is not in it changed somehow.
    """

    directories: frozenset[str] = frozenset()
    reshaped: frozenset[str] = frozenset()
    files: Mapping[str, NewsOfFiles] = field(default_factory=dict)
    is_everything: bool = False


EVERYTHING_CHANGED: Final = LocalChange(is_everything=True)


def is_mailbox_step(parent: str, name: str, layout: Layout) -> bool:
    """Whether `name`, found in the directory `parent`, may be a mailbox's directory or lead to one."""
    if layout == "maildir++":
        return parent == "." and name.startswith(".")
    return name not in MAILDIR_PARTS and not name.startswith(".")


def join(parent: str, name: str) -> str:
    """A directory below another, as stored: relative to the root, which is `.`."""
    return name if parent == "." else f"{parent}/{name}"


@dataclass(frozen=True, slots=True)
class _Departure:
    place: Place
    file_name: str
    at: float

    @property
    def directory(self) -> str:
        return self.place.directory


class EventSorter:
    """Gathers events until they may be told. `places` says what each watch is on and is kept by the owner."""

    def __init__(self, layout: Layout) -> None:
        self.places: dict[int, Place] = {}
        self.is_lost = False
        """The root itself moved or went: these watches tell nothing about the tree any more."""

        self._layout = layout
        self._unsettled: set[str] = set()
        self._changed: set[str] = set()
        self._reshaped: set[str] = set()
        self._files: dict[str, dict[MaildirName, FileNews]] = {}
        self._file_count = 0
        self._unlisted: set[str] = set()
        self._removals: dict[str, tuple[float, float]] = {}
        self._departures: dict[int, _Departure] = {}
        self._unfinished: dict[tuple[Place, str], float] = {}
        self._is_overflowed = False

    def sort(self, events: Iterable[Event], now: float) -> None:
        """Take these events in, in the order in which they were read at `now`."""
        for wd, mask, cookie, name in events:
            if mask & _OVERFLOWED:
                self._overflow()
                continue
            place = self.places.get(wd)
            if place is None:  # an echo of a watch that was given back
                continue
            if mask & _IGNORED:
                del self.places[wd]
                if place.part:
                    self._reshaped.add(place.directory)
            elif mask & _LOST:
                self.is_lost = True
            elif place.part:
                if not mask & _IS_DIRECTORY:
                    self._sort_file(place, mask, cookie, name, now)
            elif mask & _IS_DIRECTORY:
                self._sort_directory(place.directory, name)
            elif name == KEYWORDS_FILE:  # the letters of every file may mean something else now
                self._changed.add(place.directory)
                self._unlisted.add(place.directory)

    def note_covered(self, added: Iterable[Place], dropped: Iterable[Place]) -> None:
        """The watches were brought up to date; files may have come into new directories before their watches."""
        self._reshaped.update(place.directory for place in (*added, *dropped) if place.part)

    def take_unsettled(self) -> frozenset[str]:
        """Directories whose own directories came or went since the last call: their watches are out of date."""
        unsettled = frozenset(self._unsettled)
        self._unsettled.clear()
        return unsettled

    def take(self, now: float) -> LocalChange | None:
        """What may be told at `now`; the rest waits."""
        if self._is_overflowed:
            self._is_overflowed = False
            return EVERYTHING_CHANGED
        waiting = self._expire(now)
        ready = frozenset(self._changed | self._reshaped) - waiting
        if not ready:
            return None
        reshaped = ready.intersection(self._reshaped)
        files = self._take_files(ready, reshaped)
        self._changed -= ready
        self._reshaped -= ready
        return LocalChange(directories=ready, reshaped=reshaped, files=files)

    def seconds_left(self, now: float) -> float | None:
        """How long the first of what waits may wait on; None when nothing does."""
        times = [departure.at + SETTLE_SECONDS for departure in self._departures.values()]
        times += (at + SETTLE_SECONDS for at in self._unfinished.values())
        times += self._ends_of_removals().values()
        return max(0.0, min(times) - now) if times else None

    def _take_files(self, ready: frozenset[str], reshaped: frozenset[str]) -> dict[str, NewsOfFiles]:
        """What became of the files of these directories, where all of it is known."""
        taken: dict[str, NewsOfFiles] = {}
        for directory in ready:
            files = self._files.pop(directory, {})
            self._file_count -= len(files)
            if files and directory not in self._unlisted and directory not in reshaped:
                taken[directory] = files
        self._unlisted -= ready
        return _without_links(taken)

    def _sort_file(self, place: Place, mask: int, cookie: int, name: str, now: float) -> None:
        is_message = not name.startswith(".")
        if mask & _MOVED_TO:
            self._arrive(place, cookie, name)
        elif not is_message:
            return
        elif mask & _MOVED_FROM:
            self._unfinished.pop((place, name), None)
            self._departures[cookie] = _Departure(place, name, now)
        elif mask & _CREATE:
            self._unfinished.setdefault((place, name), now)
            self._changed.add(place.directory)
            self._note(place, name, FileEvent.ARRIVED)
        elif mask & _CLOSE_WRITE:
            self._unfinished.pop((place, name), None)
            self._changed.add(place.directory)
            self._note(place, name, FileEvent.ARRIVED)
        elif mask & _DELETE:
            self._unfinished.pop((place, name), None)
            self._changed.add(place.directory)
            self._note(place, name, FileEvent.UNLINKED)
            first, _ = self._removals.get(place.directory, (now, now))
            self._removals[place.directory] = (first, now)

    def _arrive(self, place: Place, cookie: int, name: str) -> None:
        departure = self._departures.pop(cookie, None)
        is_message = not name.startswith(".")
        if is_message:
            self._changed.add(place.directory)
            self._note_arrival(place, name, departure)
        if departure is None:
            return
        self._changed.add(departure.directory)
        if not is_message:
            self._note(departure.place, departure.file_name, FileEvent.DEPARTED)

    def _note_arrival(self, place: Place, file_name: str, departure: _Departure | None) -> None:
        """A file has this name now, and where it was renamed to it, it has the one before no more."""
        if departure is None:
            self._note(place, file_name, FileEvent.ARRIVED)
            return
        is_same_name = split_file_name(departure.file_name)[0] == split_file_name(file_name)[0]
        if departure.directory == place.directory and is_same_name:
            self._note(place, file_name, FileEvent.RENAMED)
            return
        self._note(departure.place, departure.file_name, FileEvent.DEPARTED)
        self._note(place, file_name, FileEvent.ARRIVED)

    def _note(self, place: Place, file_name: str, event: FileEvent) -> None:
        directory = place.directory
        if directory in self._unlisted:
            return
        files = self._files.setdefault(directory, {})
        name, news = split_file_name(file_name)[0], FileNews(event, f"{place.part}/{file_name}")
        before = files.get(name)
        files[name] = news if before is None else before.then(news)
        self._file_count += before is None
        is_odd = not name.isascii() and not is_text(name)  # a listing says so, and leaves it alone
        if is_odd or len(files) > MOST_FILES or self._file_count > MOST_FILES_IN_ALL:
            self._unlisted.add(directory)
            self._file_count -= len(files)
            files.clear()

    def _sort_directory(self, parent: str, name: str) -> None:
        if name in WATCHED_PARTS:
            self._unsettled.add(parent)
        elif is_mailbox_step(parent, name, self._layout):
            self._unsettled.add(join(parent, name))

    def _expire(self, now: float) -> frozenset[str]:
        """Give up waiting where it has been long enough; directories where something still waits."""
        for cookie, departure in list(self._departures.items()):
            if now - departure.at >= SETTLE_SECONDS:
                del self._departures[cookie]
                self._changed.add(departure.directory)
                self._note(departure.place, departure.file_name, FileEvent.DEPARTED)
        for key, at in list(self._unfinished.items()):
            if now - at >= SETTLE_SECONDS:  # made by link(), which nothing follows, or written slowly
                del self._unfinished[key]
        for directory, end in self._ends_of_removals().items():
            if now >= end:
                del self._removals[directory]
        return frozenset(self._removals).union(
            (departure.directory for departure in self._departures.values()),
            (place.directory for place, _ in self._unfinished),
        )

    def _ends_of_removals(self) -> dict[str, float]:
        """When the removals of each directory are told: not before files that were made earlier, for a file that is
        linked elsewhere and then unlinked here has moved.
        """
        made = list(self._unfinished.values())  # ascending: each was put in at its time
        ends: dict[str, float] = {}
        for directory, (first, last) in self._removals.items():
            ends[directory] = min(last + REMOVALS_SETTLE_SECONDS, first + REMOVALS_MOST_SECONDS)
            if before := bisect_right(made, last):
                ends[directory] = max(ends[directory], made[before - 1] + SETTLE_SECONDS)
        return ends

    def _overflow(self) -> None:
        self._is_overflowed = True
        self._unsettled.add(".")
        for gathered in (self._changed, self._reshaped, self._unlisted):
            gathered.clear()
        for waiting in (self._departures, self._unfinished, self._removals, self._files):
            waiting.clear()
        self._file_count = 0


def _without_links(files: dict[str, NewsOfFiles]) -> dict[str, NewsOfFiles]:
    """The news with names that were unlinked here and came elsewhere told as departed: a move made by link and unlink."""
    arrived = {
        name: directory
        for directory, news in files.items()
        for name, one in news.items()
        if one.event is FileEvent.ARRIVED
    }
    return {
        directory: {
            name: FileNews(FileEvent.DEPARTED, one.path)
            if one.event is FileEvent.UNLINKED and arrived.get(name, directory) != directory
            else one
            for name, one in news.items()
        }
        for directory, news in files.items()
    }
