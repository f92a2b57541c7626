"""Events of the tree, sorted: what inotify says in, which mailbox directories changed out.

Pure: no descriptor, no clock of its own; times are monotonic seconds that the caller hands in. A rename between two
mailboxes is two events that may be read apart: a departure waits for its arrival (sync.md 12), so that both mailboxes
are told together. A file that is made in place waits until it is closed: a message half written is no message. Both
wait `SETTLE_SECONDS` at most; everything else is told at once.
Source: inotify(7).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from inotify_simple import Event, flags

from daemon.model.ids import MaildirName
from daemon.store.maildir.keywords import KEYWORDS_FILE
from daemon.store.maildir.names import MAILDIR_PARTS, Layout, split_file_name

SETTLE_SECONDS: Final = 0.05  # sync.md 12
FACTS_LIMIT: Final = 256  # beyond it listing the directory costs less than going by names

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


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that was unlinked, or renamed to somewhere outside the tree."""

    directory: str
    maildir_name: MaildirName


@dataclass(frozen=True, slots=True)
class Moved:
    """One rename from a mailbox into another, by its cookie pair (sync.md 9)."""

    source: str
    target: str
    old_name: MaildirName
    new_name: MaildirName


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChange:
    """Mailbox directories, relative to the root, in which something changed.

    `reshaped` are those that came, went or were renamed. `is_everything`: events were lost, any directory may have
    changed. `removed` and `moved` are hints that need a look before anything is inferred; both are empty when there
    were more than `FACTS_LIMIT`.
    """

    directories: frozenset[str] = frozenset()
    reshaped: frozenset[str] = frozenset()
    removed: frozenset[Removed] = frozenset()
    moved: frozenset[Moved] = frozenset()
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
    directory: str
    file_name: str
    at: float


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
        self._removed: set[Removed] = set()
        self._moved: set[Moved] = set()
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
            elif name == KEYWORDS_FILE:
                self._changed.add(place.directory)

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
        removed = frozenset(fact for fact in self._removed if fact.directory in ready)
        moved = frozenset(
            fact for fact in self._moved if not waiting.intersection((fact.source, fact.target))
        )
        self._changed -= ready
        self._reshaped -= ready
        self._removed -= removed
        self._moved -= moved
        if len(removed) + len(moved) > FACTS_LIMIT:
            removed, moved = frozenset(), frozenset()
        return LocalChange(directories=ready, reshaped=reshaped, removed=removed, moved=moved)

    def seconds_left(self, now: float) -> float | None:
        """How long the first of what waits may wait on; None when nothing does."""
        times = [departure.at for departure in self._departures.values()]
        times += self._unfinished.values()
        return max(0.0, min(times) + SETTLE_SECONDS - now) if times else None

    def _sort_file(self, place: Place, mask: int, cookie: int, name: str, now: float) -> None:
        is_message = not name.startswith(".")
        if mask & _MOVED_TO:
            self._arrive(place, cookie, name)
        elif not is_message:
            return
        elif mask & _MOVED_FROM:
            self._unfinished.pop((place, name), None)
            self._departures[cookie] = _Departure(place.directory, name, now)
        elif mask & _CREATE:
            self._unfinished.setdefault((place, name), now)
            self._changed.add(place.directory)
        elif mask & _CLOSE_WRITE:
            self._unfinished.pop((place, name), None)
            self._changed.add(place.directory)
        elif mask & _DELETE:
            self._unfinished.pop((place, name), None)
            self._remove(place.directory, name)

    def _arrive(self, place: Place, cookie: int, name: str) -> None:
        departure = self._departures.pop(cookie, None)
        is_message = not name.startswith(".")
        if is_message:
            self._changed.add(place.directory)
        if departure is None:
            return
        self._changed.add(departure.directory)
        if not is_message:
            self._remove(departure.directory, departure.file_name)
        elif departure.directory != place.directory and len(self._moved) <= FACTS_LIMIT:
            self._moved.add(
                Moved(
                    departure.directory,
                    place.directory,
                    split_file_name(departure.file_name)[0],
                    split_file_name(name)[0],
                )
            )

    def _remove(self, directory: str, file_name: str) -> None:
        self._changed.add(directory)
        if len(self._removed) <= FACTS_LIMIT:
            self._removed.add(Removed(directory, split_file_name(file_name)[0]))

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
                self._remove(departure.directory, departure.file_name)
        for key, at in list(self._unfinished.items()):
            if now - at >= SETTLE_SECONDS:  # made by link(), which nothing follows, or written slowly
                del self._unfinished[key]
        return frozenset(departure.directory for departure in self._departures.values()) | frozenset(
            place.directory for place, _ in self._unfinished
        )

    def _overflow(self) -> None:
        self._is_overflowed = True
        self._unsettled.add(".")
        for gathered in (self._changed, self._reshaped, self._removed, self._moved):
            gathered.clear()
        self._departures.clear()
        self._unfinished.clear()
