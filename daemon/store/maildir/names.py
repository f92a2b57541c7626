r"""Names on disk: unique names of message files, their info letters, and directories of mailboxes.

Pure: no file is touched here. A unique name is what stands before `:2,`; ours look like
`SECONDS.R<random>Q<count>.mailsyncd,S=<file size>,W=<wire size>` (S and W as Dovecot writes them), and
`.mailsyncd,` is the fixed mark by which we know our own after every database is lost (sync.md 6, 8).
Directories follow sync.md 26: `\xx` (hex, as Dovecot's listescape) for what may not stand in a part.
Source: Maildir specification, <https://cr.yp.to/proto/maildir.html>; Maildir++ for `.A.B`.
"""

import hashlib
import re
import secrets
from collections.abc import Collection
from itertools import count
from typing import Final, Literal

from daemon.model.errors import StoreError
from daemon.model.ids import INBOX, MailboxName, MaildirName

Layout = Literal["maildir++", "fs"]

OUR_MARK: Final = ".mailsyncd,"
TMP_MARK: Final = ".mailsyncd-tmp"
MAILDIR_PARTS: Final = ("cur", "new", "tmp")

_TAKEN: Final = frozenset(
    {
        *MAILDIR_PARTS,
        "mailsyncd-id",
        "mailsyncd-id.next",
        "maildirfolder",
        "dovecot-keywords",
        "dovecot-keywords.lock",
        "dovecot-uidlist.lock",
        "subscriptions",
        "subscriptions.lock",
    }
)
"""Files beside the mailboxes' directories of an `fs` tree: a mailbox may be called so, its directory may not."""

MAX_PART_BYTES: Final = 200  # sync.md 26; a file name ends at 255 on Linux file systems
MAX_MAILDIR_PLUS_BYTES: Final = 240  # `.A.B.C` is one file name
_HASH_LEAD: Final = (
    "\\_"  # an escape never has a non-hex digit after the backslash: hashed names collide with no other
)
_HASH_DIGITS: Final = 32
_EMPTY_PART: Final = "\\"
_TO_ESCAPE: Final = re.compile("[./\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"(?:\\[0-9a-f]{2})+")
_WHOLE_CHARACTER: Final = re.compile(r"\\[0-9a-f]{2}|\\|[^\\]")
_LETTERS: Final = re.compile(r"[A-Za-z]*")


class NameMaker:
    """Gives unique names, never the same twice: 64 random bits a process and a count, whatever the clock does."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._numbers = count(1)

    def message(self, now: float, *, size: int, wire_size: int) -> MaildirName:
        """A name with our mark, for a message that is or was on the server."""
        return MaildirName(
            f"{int(now)}.R{self._process}Q{next(self._numbers)}{OUR_MARK}S={size},W={wire_size}"
        )

    def unmarked(self, now: float) -> MaildirName:
        """A name without our mark, for a file that is to count as new and local."""
        return MaildirName(f"{int(now)}.R{self._process}Q{next(self._numbers)}.local")

    def tmp(self, now: float) -> str:
        """A name for tmp/, known as ours and as this process's."""
        return f"{int(now)}.R{self._process}Q{next(self._numbers)}{TMP_MARK}"

    def is_own_tmp(self, name: str) -> bool:
        """Whether this process made that name for tmp/."""
        return name.endswith(TMP_MARK) and f".R{self._process}Q" in name


def is_ours(name: MaildirName) -> bool:
    """Whether the name carries our mark: the message came from the server or was sent there by us."""
    return OUR_MARK in name


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8: others cannot be stored, shown or told apart reliably."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def split_file_name(file_name: str) -> tuple[MaildirName, str]:
    """The unique name, and what stands after its `:` (`2,FS`, empty where there is none)."""
    unique, _, info = file_name.partition(":")
    return MaildirName(unique), info


def split_info(info: str) -> tuple[str, str]:
    """The letters of an info part and whatever follows them; other info versions have no letters for us."""
    if not info.startswith("2,"):
        return "", ""
    found = _LETTERS.match(info, 2)
    end = found.end() if found else 2
    return info[2:end], info[end:]


def directory_of(name: MailboxName, layout: Layout) -> str:
    """The directory of a mailbox relative to the account's root: `.` for INBOX in Maildir++.

    Injective, and never leaves the root whatever the server calls its mailboxes.
    """
    if layout == "maildir++":
        if name == INBOX:
            return "."
        whole = "." + ".".join(_part(part) for part in name.split("/"))
        if len(whole.encode()) > MAX_MAILDIR_PLUS_BYTES:
            return _cut(whole, name, MAX_MAILDIR_PLUS_BYTES)
        return whole
    return "/".join(_part(part, _TAKEN) for part in name.split("/"))


def mailbox_of(directory: str, layout: Layout) -> MailboxName | None:
    """The mailbox whose directory this is; None where it cannot be told (hashed, or not made by our rule)."""
    if layout == "maildir++":
        if directory == ".":
            return INBOX
        if not directory.startswith("."):
            return None
        parts = directory[1:].split(".")
    else:
        parts = directory.split("/")
    try:
        name = MailboxName("/".join(_unescape(part) for part in parts))
    except UnicodeDecodeError:
        return None
    return name if directory_of(name, layout) == directory else None


def check_directory(directory: str) -> tuple[str, ...]:
    """The steps from the root to a mailbox's directory; raises StoreError for what could lead elsewhere."""
    if directory == ".":
        return ()
    steps = tuple(directory.split("/"))
    for step in steps:
        if step in {"", ".", "..", *MAILDIR_PARTS} or "\0" in step:
            raise StoreError(f"not a directory inside the tree: {directory[:200]!r}", reason="store_io")
    return steps


def _part(part: str, taken: Collection[str] = MAILDIR_PARTS) -> str:
    if not part:
        return _EMPTY_PART
    text = _TO_ESCAPE.sub(lambda found: _hex(found[0]), part)
    if part in taken or part[0] == "~":
        text = _hex(part[0]) + text[1:]
    return text if len(text.encode()) <= MAX_PART_BYTES else _cut(text, part, MAX_PART_BYTES)


def _hex(character: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def _cut(text: str, original: str, most_bytes: int) -> str:
    """As much of `text` as fits, and a hash of the name it stands for; no escape and no character is cut in two."""
    room = most_bytes - len(_HASH_LEAD) - _HASH_DIGITS
    kept = []
    for piece in _WHOLE_CHARACTER.findall(text):
        room -= len(piece.encode())
        if room < 0:
            break
        kept.append(piece)
    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()
    return "".join(kept) + _HASH_LEAD + digest[:_HASH_DIGITS]


def _unescape(part: str) -> str:
    if part == _EMPTY_PART:
        return ""
    return _ESCAPED.sub(
        lambda run: bytes.fromhex(run[0].replace("\\", "")).decode("utf-8", "surrogatepass"), part
    )
