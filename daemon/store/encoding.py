"""How values lie in columns: flags as a compact text, ids as raw bytes, times as whole milliseconds.

Pure. Flags are the Maildir letters in ASCII order, then each keyword after a space: `FS $Junk work`. A keyword never
contains a space (RFC 9051 §9, flag-keyword is an atom), so the text is read back without escapes.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final, TypeVar

from daemon.model.flags import FLAG_OF_LETTER, LETTER_OF_FLAG, Flag, FlagSet
from daemon.model.ids import EventId, MessageId

T = TypeVar("T")

CHUNK: Final = 500  # bound values of one statement; SQLite allows 32,766, short statements are cached better


@lru_cache(maxsize=4096)
def flags_to_text(flags: FlagSet) -> str:
    """The compact text of a set of flags."""
    letters = "".join(sorted(LETTER_OF_FLAG[flag] for flag in flags if flag in LETTER_OF_FLAG))
    keywords = sorted(flag for flag in flags if flag not in LETTER_OF_FLAG)
    return " ".join((letters, *keywords))


@lru_cache(maxsize=4096)
def flags_from_text(text: str) -> FlagSet:
    """The set behind a compact text; equal texts give the same object, which keeps large views small."""
    letters, *keywords = text.split(" ")
    return frozenset((*(FLAG_OF_LETTER[letter] for letter in letters), *map(Flag, keywords)))


def id_to_bytes(message_id: str) -> bytes:
    """The 16 raw bytes of a 32-digit id; raises ValueError for other text."""
    return bytes.fromhex(message_id)


def id_from_bytes(raw: bytes) -> MessageId:
    """The 32-digit id of 16 raw bytes."""
    return MessageId(raw.hex())


def to_ms(seconds: float) -> int:
    """Whole milliseconds; what the databases keep of a time."""
    return round(seconds * 1000)


def from_ms(milliseconds: int) -> float:
    """Seconds again."""
    return milliseconds / 1000


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def format_event_id(epoch: str, number: int) -> EventId:
    """`EPOCH-NUMBER`, padded so that within one epoch the order of texts is the order of events."""
    return EventId(f"{epoch}-{number:012d}")


def parse_event_id(text: str) -> tuple[str, int] | None:
    """Epoch and number, or None for what was never an id of ours."""
    epoch, dash, number = text.rpartition("-")
    if not (epoch and dash and number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    return epoch, int(number)
