"""The tree's side of a history: what mail programs do with files and directories.

As a careful program does it: by rename, never over another file, keywords under Dovecot's own lock (sync.md 27).
"""

import os
import shutil
from pathlib import Path

from daemon.model.flags import Flag
from tests.histories.nouns import LETTERS

_PARTS = ("cur", "new")


class Here:
    """The programs that read and change one account's tree."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self, directory: str) -> dict[str, Path]:
        """Message files by the name before `:2,`."""
        return {
            path.name.partition(":")[0]: path
            for part in _PARTS
            for path in (self.root / directory / part).iterdir()
        }

    def directories(self) -> set[str]:
        """Directories of mailboxes."""
        return {
            "." if place == self.root else place.name
            for place in (self.root, *self.root.iterdir())
            if (place / "cur").is_dir()
        }

    def put(self, directory: str, stem: str, octets: bytes, flags: set[Flag], date: int) -> None:
        """A new message, read or unread."""
        letters = "".join(sorted(LETTERS[flag] for flag in flags))
        path = self.root / directory / (f"cur/{stem}:2,{letters}" if flags else f"new/{stem}")
        path.write_bytes(octets)
        os.utime(path, (date, date))

    def set_flag(self, directory: str, stem: str, flag: Flag, *, value: bool) -> None:
        """One flag turned, by one rename."""
        letter = LETTERS.get(flag) or self.letter(directory, flag)
        path = self.files(directory)[stem]
        letters = set(path.name.partition(":2,")[2])
        letters = letters | {letter} if value else letters - {letter}
        path.rename(self.root / directory / "cur" / f"{stem}:2,{''.join(sorted(letters))}")

    def move(self, directory: str, stem: str, target: str, new_stem: str) -> None:
        """Into another mailbox; letters of keywords, which differ from mailbox to mailbox, are dropped."""
        path = self.files(directory)[stem]
        path.rename(self._beside(path, target, new_stem))

    def rename(self, directory: str, stem: str, new_stem: str) -> None:
        """The same file under another unique name."""
        path = self.files(directory)[stem]
        path.rename(path.with_name(new_stem + path.name[len(stem) :]))

    def copy(self, directory: str, stem: str, target: str) -> str:
        """A copy under the same name; the letters that it shows."""
        path = self.files(directory)[stem]
        copy = self._beside(path, target, stem)
        shutil.copy2(path, copy)
        return copy.name.partition(":2,")[2]

    def remove(self, directory: str, stem: str) -> None:
        self.files(directory)[stem].unlink()

    def letter(self, directory: str, keyword: Flag) -> str:
        """The keyword's letter in this mailbox, given now where it has none."""
        file, lock = (
            self.root / directory / "dovecot-keywords",
            self.root / directory / "dovecot-uidlist.lock",
        )
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            lines = file.read_text().splitlines() if file.exists() else []
            known = dict(reversed(line.split(" ", 1)) for line in lines)
            if keyword not in known:
                known[keyword] = str(max(map(int, known.values()), default=-1) + 1)
                fresh = file.with_name("dovecot-keywords.lock")
                fresh.write_text("".join(f"{number} {word}\n" for word, number in known.items()))
                fresh.rename(file)
            return chr(ord("a") + int(known[keyword]))
        finally:
            lock.unlink()

    def make_mailbox(self, directory: str) -> None:
        for part in (*_PARTS, "tmp"):
            (self.root / directory / part).mkdir(parents=True)

    def rename_mailbox(self, directory: str, new: str) -> None:
        (self.root / directory).rename(self.root / new)

    def remove_mailbox(self, directory: str) -> None:
        shutil.rmtree(self.root / directory)

    def _beside(self, path: Path, target: str, stem: str) -> Path:
        letters = "".join(letter for letter in path.name.partition(":2,")[2] if letter.isupper())
        place = self.root / target / path.parent.name
        beside = place / (f"{stem}:2,{letters}" if path.parent.name == "cur" else stem)
        assert not beside.exists(), beside
        return beside
