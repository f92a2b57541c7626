"""Backups of the store: a copy made at a meeting, and put in place of what there is at a later one.

What the model then has to say depends on what is older. Databases: nothing, for files and server say it all. Tree and
databases: nothing, for the server says what has gone since. The tree alone: files come back whose messages were deleted
since; nobody can say that they are not wanted, so they stay, and stay here.
"""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.histories.model import Model
from tests.histories.nouns import Box, Placed


class Part(StrEnum):
    """What is put in place."""

    INDEX = "index.sqlite3*"
    DATABASES = "*.sqlite3*"
    TREE = "mail"
    WHOLE = "*"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A copy of the store, and the model as it was then."""

    place: Path
    placed: dict[int, tuple[Placed, Box, str | None]]
    boxes: dict[Box, tuple[str, str | None]]
    left: dict[Box, list[bytes]]
    stowed: frozenset[int]

    @classmethod
    def keep(cls, store: Path, model: Model) -> "Backup":
        """Of a store that is closed, at a meeting."""
        place = store.with_name(f"{store.name}.backup")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(store, place)
        return cls.of(place, model)

    @classmethod
    def of(cls, place: Path, model: Model) -> "Backup":
        """A copy that is there already."""
        return cls(
            place=place,
            placed={one.number: (one, one.box, one.stem) for one in model.placed if not one.is_marked},
            boxes={box: (box.name, box.directory) for box in model.boxes},
            stowed=frozenset(one.number for one in model.stowed()),
            left={box: list(octets) for box, octets in model.left.items() if octets},
        )

    def may_be_put_back(self, part: Part, model: Model) -> bool:
        r"""Whether there is one right end: mailboxes are what they were, and no message waits with \\Deleted, which
        would come back; for a tree by itself also that nothing moved, and that what comes back is like nothing else.
        """
        if self.boxes != {box: (box.name, box.directory) for box in model.boxes}:
            return False
        if any(one.is_marked for one in model.placed) or self.left != {
            box: octets for box, octets in model.left.items() if octets
        }:
            return False
        has_other_name = any(
            number in self.placed and self.placed[number][1] is one.box and self.placed[number][2] != one.stem
            for number, one in self._now(model).items()
        )
        if has_other_name:  # the engine fetches it again, and shelves the file
            return False
        if part in {Part.TREE, Part.WHOLE} and (
            self.stowed or model.stowed()
        ):  # files would change places with it
            return False
        if part is not Part.TREE:
            return True
        have_moved = any(
            number in self.placed and (self.placed[number][1], self.placed[number][2]) != (one.box, one.stem)
            for number, one in self._now(model).items()
        )
        octets = {one.octets for one in model.placed}
        come_back = [one.octets for one, _ in self._gone(model)]
        is_alike = any(one in octets for one in come_back) or len(set(come_back)) < len(come_back)
        return not (have_moved or is_alike)

    def put_back(self, store: Path, part: Part, model: Model) -> None:
        """In the place of that part of a store that is closed."""
        for path in store.glob(part.value):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in self.place.glob(part.value):
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, store / path.name)
        if part is Part.TREE:
            for one, box in self._gone(model):
                model.left[box].append(one.octets)

    def _gone(self, model: Model) -> list[tuple[Placed, Box]]:
        """What was here then and is not any more."""
        now = self._now(model)
        return [(one, box) for number, (one, box, _) in self.placed.items() if number not in now]

    @staticmethod
    def _now(model: Model) -> dict[int, Placed]:
        return {one.number: one for one in model.placed}
