"""The model of a history: messages by mailbox as both sides should have them in the end. Pure.

A round is what happens between two meetings. Within a round each message is moved, copied or deleted by one side only,
its owner, so that there is one right end; flags are changed by both, each flag in one direction, away from what it was
when the round began. What no program could tell apart is left out, and stands below as a question with its reason.
"""

from collections import defaultdict
from collections.abc import Iterable

from daemon.model.flags import DELETED, Flag
from daemon.model.settings import DeleteRule
from tests.histories.nouns import INBOX, TRASH, Box, Placed, Side


class Model:
    """What both sides should have. `rule` is what becomes of a message on the server that was deleted here."""

    def __init__(self, *, rule: DeleteRule = DeleteRule.EXPUNGE, has_uidplus: bool = True) -> None:
        self.has_uidplus = has_uidplus
        self.use(rule)
        self.boxes: list[Box] = []
        self.lost: list[Box] = []  # removed in this round
        self.placed: list[Placed] = []
        self.ghosts: list[Placed] = []  # deleted here in this round; the server may not know yet
        self.left: defaultdict[Box, list[bytes]] = defaultdict(
            list
        )  # files out of a backup that the server has not
        self.gone: dict[Side, set[bytes]] = {
            side: set() for side in Side
        }  # octets that a side removed in this round
        self.has_moved_here = False  # a file got another mailbox or another name in this round
        self.first: set[tuple[str, Box]] = set()  # file names and mailboxes when the round began
        self.count = 0
        self.numbers = 0

    def use(self, rule: DeleteRule) -> None:
        """The account's rule for deletions; a server without UIDPLUS can only mark."""
        self.rule = rule if self.has_uidplus else DeleteRule.MARK

    def begin_round(self) -> None:
        """Both sides are equal: nothing is owned, and every flag may be turned again."""
        self.ghosts.clear()
        self.has_moved_here = False
        for gone in self.gone.values():
            gone.clear()
        self.first = {(one.stem, one.box) for one in self.placed if one.stem is not None}
        for box in self.boxes:
            box.owner, box.was = None, box.name
            box.is_new = box.is_reset = box.is_stirred = box.was_emptied = False
        self.lost.clear()
        for one in self.placed:
            one.owner, one.is_new, one.before, one.is_wished = None, False, frozenset(one.flags), False
            one.home = one.box
            one.flagged.clear()
            if one.is_stowed:
                self.keep_alone(one)

    # What there is

    def box(self, name: str) -> Box | None:
        return next((box for box in self.boxes if box.name == name), None)

    def box_that_was(self, name: str) -> Box | None:
        """The mailbox that has this name, or had it when the round began."""
        return self.box(name) or next((box for box in (*self.boxes, *self.lost) if box.was == name), None)

    def usable(self, side: Side) -> list[Box]:
        """Mailboxes in which this side may do something now."""
        return [
            box
            for box in self.boxes
            if box.owner in {None, side} and (side is Side.THERE or box.directory is not None)
        ]

    def here(self, box: Box) -> list[Placed]:
        """Messages of a mailbox that have a file in it."""
        return [one for one in self.there(box) if not one.is_stowed]

    def there(self, box: Box) -> list[Placed]:
        """Messages of a mailbox that the server has and nobody has deleted."""
        return [one for one in self.placed if one.box is box and not one.is_marked]

    def stowed(self) -> list[Placed]:
        """Messages whose files lie in a directory that is no mailbox."""
        return [one for one in self.placed if one.is_stowed]

    def residents(self, box: Box, side: Side) -> list[Placed]:
        """Messages of a mailbox that this side has without the other's help."""
        those = self.here(box) if side is Side.HERE else self.there(box)
        return [one for one in those if one.home is box or one.owner is side]

    def copies(self, one: Placed) -> list[Placed]:
        """Other messages with the same octets in the same mailbox: nobody can tell them apart but by flags."""
        return [
            other
            for other in self.placed
            if other is not one and other.box is one.box and other.octets == one.octets
        ]

    # What may be done

    def known(self, one: Placed, side: Side) -> bool:
        """Whether this side can find it now."""
        if one.box not in self.usable(side):
            return False
        if side is Side.HERE:
            return one.stem is not None and not one.is_marked and not one.is_stowed
        return one.uid is not None and not one.box.is_reset

    def takeable(self, side: Side) -> list[Placed]:
        """Messages that this side may move, copy or delete; the other then leaves them alone.

        Not where UIDs are void: what is deleted in such a round is not believed and comes back (sync.md 8).
        """
        return [
            one
            for one in self.placed
            if one.owner in {None, side}
            and not (one.is_new and one.owner is None)
            and not (one.is_marked or one.is_stowed or one.box.is_reset)
            and self.known(one, side)
            and not self.is_ambiguous(one)
            # A directory that was renamed is known again by the files it had.
            and not (side is Side.HERE and one.box.owner is side and one.home is one.box)
            # Whether the server has it by now decides what is left of it there.
            and not (side is Side.HERE and one.uid is None and self.rule is not DeleteRule.EXPUNGE)
        ]

    def is_ambiguous(self, one: Placed) -> bool:
        """Whether a copy of its file was made, or it was one, in this very round.

        Its name then is in two mailboxes at once when it leaves a third: which of them is the move and which the copy
        cannot be told, and what was flagged meanwhile follows the one that is taken for the move.
        """
        return any(
            other is not one
            and other.stem is not None
            and other.stem == one.stem
            and (other.stem, other.box) not in self.first
            for other in self.placed
        ) or (one.stem is not None and (one.stem, one.box) not in self.first and not one.is_new)

    def may_seem_moved(self, one: Placed, side: Side) -> bool:
        """Whether this side has brought its octets in this round too, or taken equal ones away.

        Then to remove it, or to bring it again, looks like a move, and is one: what was flagged meanwhile goes along.
        """
        return one.octets in self.gone[side] or any(
            other is not one and other.is_new and other.owner is side and other.octets == one.octets
            for other in self.placed
        )

    def is_alone(self, one: Placed) -> bool:
        """Whether nothing else has its octets, or had them in this round."""
        return not any(one.octets in gone for gone in self.gone.values()) and not any(
            other is not one and other.octets == one.octets for other in self.placed
        )

    def keep_alone(self, one: Placed) -> None:
        """Nothing else may get its octets in this round."""
        for gone in self.gone.values():
            gone.add(one.octets)

    def places_for(self, one: Placed) -> list[Box]:
        """Mailboxes where it may go: here already, and a file of its name is not there and was not."""
        taken = {other.box for other in self.placed if other.stem is not None and other.stem == one.stem}
        return [
            box
            for box in self.usable(Side.HERE)
            if box is not one.box
            and box not in taken
            and not box.is_reset
            and (one.stem, box) not in self.first
        ]

    def flaggable(self, side: Side) -> list[Placed]:
        """Messages whose flags this side may change, where nobody could mistake them for another."""
        return [
            one
            for one in self.placed
            if not one.is_marked
            and (one.owner in {None, side} or not one.is_new)
            and self.known(one, side)
            and not (one.box.is_reset and self.copies(one))
            and not (side is Side.HERE and one.owner is Side.THERE)
        ]

    def free_names(self, names: Iterable[str]) -> list[str]:
        """Names that no mailbox has or had in this round, below none or one that stays."""
        taken = {name for box in (*self.boxes, *self.lost) for name in (box.name, box.was)}
        parents = {box.name for box in self.boxes if not box.is_new and box.owner is None}
        return [
            name
            for name in names
            if name not in taken and ("/" not in name or name.rpartition("/")[0] in parents)
        ]

    def changeable(self, side: Side) -> list[Box]:
        """Mailboxes that this side may rename."""
        return [
            box
            for box in self.usable(side)
            if box.name not in {INBOX, TRASH}
            and box.owner is None
            and not (box.is_new or box.is_reset)
            and box.directory is not None
            and not self.has_file_elsewhere(box)
            and not (
                side is Side.THERE and any(one.home is box and one.box is not box for one in self.placed)
            )
            and not any(
                name is not None and name.startswith(f"{box.name}/")
                for other in (*self.boxes, *self.lost)
                for name in (other.name, other.was)
            )
        ]

    def is_a_directory_away(self) -> bool:
        """Whether one was renamed or removed here: until that is understood nothing is proved to be missing, and a file
        that was moved is taken for a new one, the old one for deleted.
        """
        return any(box.owner is Side.HERE and not box.is_new for box in (*self.boxes, *self.lost))

    def has_file_elsewhere(self, box: Box) -> bool:
        """Whether a message of it has its file in a directory that is no mailbox, or a file of it has no message."""
        return bool(self.left[box]) or any(one.box is box for one in self.stowed())

    def renamable_here(self) -> list[Box]:
        """Directories that are known again by their files, more than half of what they had."""
        found: list[Box] = []
        if self.has_moved_here:
            return found
        for box in self.changeable(Side.HERE):
            had = [one for one in (*self.placed, *self.ghosts) if one.home is box and not one.is_marked]
            left = [one for one in had if one.box is box and one in self.placed]
            if len(left) * 2 > len(had):
                found.append(box)
        return found

    def removable(self, side: Side) -> list[Box]:
        """Mailboxes that this side may remove: the other has neither brought nor changed anything in them."""
        other = Side.THERE if side is Side.HERE else Side.HERE
        return [
            box
            for box in self.changeable(side)
            if not any(
                one.is_marked
                or one.owner is other
                or other in one.flagged
                or one.is_wished
                or self.may_seem_moved(one, side)
                for one in self.placed
                if one.box is box
            )
            and not any(one.home is box and one.box is not box for one in self.placed)
            and not any(box in {one.home, one.box} for one in self.ghosts)
        ]

    def resettable(self) -> list[Box]:
        """Mailboxes whose UIDs may become void: nothing was taken from them or brought to them by hand, since what is
        missing after a reset is not believed, and no one of equal messages was flagged, since their files are matched
        by what they hold.
        """
        return [
            box
            for box in self.boxes
            if not box.is_stirred
            and not box.is_new
            and not box.is_reset
            and box.owner is None
            and not self.has_file_elsewhere(box)
            and not any(one.is_marked for one in self.placed if one.box is box)
            and not any(one.flagged and self.copies(one) for one in self.placed if one.box is box)
        ]

    # What is done

    def remove_box(self, box: Box, side: Side) -> None:
        """It is gone with what it had."""
        for one in self.here(box):
            if side is Side.HERE:
                self.deleted_here(one)
            else:
                self.removed(one, Side.THERE)
        self.ghosts = [one for one in self.ghosts if one.box is not box]
        self.boxes.remove(box)
        self.lost.append(box)
        box.was_emptied, box.owner = True, side

    def add(self, octets: bytes, box: Box, date: int, flags: set[Flag], side: Side | None) -> Placed:
        """A message that came into being."""
        self.count += 1
        one = Placed(octets=octets, box=box, date=date, flags=flags, number=self.count, owner=side)
        self.placed.append(one)
        return one

    def turn(self, one: Placed, flag: Flag, side: Side) -> bool:
        """What the flag becomes: the other of what it was when the round began, whoever says so first."""
        value = flag not in one.before
        (one.flags.add if value else one.flags.discard)(flag)
        one.flagged.add(side)
        return value

    def moved(self, one: Placed, target: Box, side: Side) -> None:
        """It is in another mailbox now. Without UIDPLUS what was moved here is marked there and goes up again."""
        one.owner = side
        self.has_moved_here |= side is Side.HERE
        self.stir(one.box, target)
        source, one.box = one.box, target
        if side is Side.HERE and one.uid is not None and not self.has_uidplus:
            left = self.add(one.octets, source, one.date, {*one.flags, DELETED}, side)
            left.uid, left.is_marked = one.uid, True
        one.uid = None
        self._note_emptied(source)

    def copied(self, one: Placed, target: Box, flags: set[Flag], side: Side) -> Placed:
        """A second message with its octets."""
        one.owner = side
        self.stir(one.box, target)
        return self.add(one.octets, target, one.date, flags, side)

    def removed(self, one: Placed, side: Side) -> None:
        """It is gone for both."""
        one.owner = side
        self.stir(one.box)
        self.placed.remove(one)
        self.gone[side].add(one.octets)
        self._note_emptied(one.box)

    def deleted_here(self, one: Placed) -> None:
        """Its file is gone; what becomes of it there is the account's rule."""
        box, uid = one.box, one.uid
        if uid is None:  # the server never had it
            self.removed(one, Side.HERE)
            return
        if self.rule is DeleteRule.MARK:
            one.owner, one.is_marked, one.stem = Side.HERE, True, None
            one.flags.add(DELETED)
            self.gone[Side.HERE].add(one.octets)
            self.stir(box)
            self._note_emptied(box)
            return
        self.removed(one, Side.HERE)
        self.ghosts.append(one)
        trash = self.box(TRASH)
        if trash is not None and self.goes_to_trash(one):
            self.stir(trash)
            self.add(one.octets, trash, one.date, set(one.flags), Side.HERE)

    def restored(self, one: Placed) -> None:
        """What was deleted here is back before the server heard of it."""
        self.ghosts.remove(one)
        self.placed.append(one)
        one.owner = Side.HERE

    def goes_to_trash(self, one: Placed) -> bool:
        """Whether a deletion here moves it there."""
        trash = self.box(TRASH)
        return self.rule is DeleteRule.TRASH and trash is not None and one.box is not trash

    def stir(self, *boxes: Box) -> None:
        """A message came or went in these by other means than delivery."""
        for box in boxes:
            box.is_stirred = True

    def _note_emptied(self, box: Box) -> None:
        if not any(one.home is box for one in self.here(box)):
            box.was_emptied = True
