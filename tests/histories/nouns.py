"""The nouns of a history: sides, mailboxes, messages. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from daemon.model.flags import ANSWERED, DRAFT, FLAGGED, SEEN, Flag

NOON = 1_700_000_000
LETTERS = {ANSWERED: "R", DRAFT: "D", FLAGGED: "F", SEEN: "S"}
KEYWORDS = (Flag("project"), Flag("urgent"))
FLAGS = (*LETTERS, *KEYWORDS)
INBOX, TRASH = "INBOX", "Trash"
STOWAGE = "Private"  # left out by the settings: a directory of the tree that is no mailbox


class Side(StrEnum):
    """Who changes something: programs in the tree, or other clients of the server."""

    HERE = "here"
    THERE = "there"


@dataclass(eq=False)
class Box:
    """One mailbox. `name` is the server's, `directory` the tree's (None: not here yet); each follows its own side."""

    name: str
    directory: str | None = None
    was: str | None = None  # its name when the round began
    owner: Side | None = None  # who made or renamed it in this round; the other side leaves it alone
    is_new: bool = True
    is_reset: bool = False  # its UIDs were made void in this round
    is_stirred: bool = False  # a message was moved, copied or deleted from or to it in this round
    was_emptied: bool = False  # nothing was left of what it had when the round began

    def __str__(self) -> str:
        return self.name


@dataclass(eq=False)
class Placed:
    """One message in one mailbox. `uid` and `stem` are where it can be found there and here, as far as is known."""

    octets: bytes = field(repr=False)
    box: Box
    date: int
    flags: set[Flag]
    number: int
    uid: int | None = None
    stem: str | None = None
    owner: Side | None = None
    home: Box | None = None  # where it was when the round began
    before: frozenset[Flag] = frozenset()
    is_new: bool = True
    is_marked: bool = False  # left on the server with \Deleted, not here
    is_stowed: bool = (
        False  # its file lies in a directory that is no mailbox: not here, and not missing either
    )
    flagged: set[Side] = field(default_factory=set)  # by whom, in this round
    is_wished: bool = False  # somebody asked for flags over the API in this round

    def __str__(self) -> str:
        return f"message {self.number} in {self.box}"

    @property
    def has_keyword(self) -> bool:
        """Whether letters of keywords, which differ from mailbox to mailbox, are or were in its file's name."""
        return any(word in self.flags or word in self.before for word in KEYWORDS)
