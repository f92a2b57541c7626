"""What may be done on the server: each act changes it and the model alike, or finds nothing to do.

`at` and `to` are any numbers: they choose among what the model allows. Each act returns what it did in words, or None.
"""

from daemon.model.flags import DELETED, Flag
from tests.histories.nouns import INBOX, Box, Placed, Side
from tests.histories.powers import POWERS, Power
from tests.histories.story import Story, pick


def append(story: Story, to: int, flags: frozenset[Flag], like: int | None) -> str | None:
    """A new message, perhaps with the octets of one that is there already."""
    box = pick(story.model.usable(Side.THERE), to)
    if box is None:
        return None
    octets, date = story.octets(like, box, Side.THERE)
    one = story.model.add(octets, box, date, set(flags), Side.THERE)
    uid = story.there.append(box.name, octets, set(flags), date)
    one.uid = None if box.is_reset else uid
    return f"append {one} with {', '.join(sorted(flags)) or 'no flags'}"


def turn_flag(story: Story, at: int, flag: Flag) -> str | None:
    one = pick(story.model.flaggable(Side.THERE), at)
    if one is None or one.uid is None:
        return None
    value = story.model.turn(one, flag, Side.THERE)
    story.there.set_flag(one.box.name, one.uid, flag, value=value)
    return f"flag {one}: {flag} {value}"


def flag_ghost(story: Story, at: int, flag: Flag) -> str | None:
    """A flag on a message that was deleted here meanwhile: the deletion wins."""
    free = [one for one in story.model.ghosts if not one.box.is_reset and not story.model.goes_to_trash(one)]
    free = [one for one in free if not any(other.octets == one.octets for other in story.model.placed)]
    one = pick(free, at)
    if one is None or one.uid is None:
        return None
    story.there.set_flag(one.box.name, one.uid, flag, value=True)
    one.flagged.add(Side.THERE)
    return f"flag what was deleted, {one}: {flag}"


def expunge(story: Story, at: int) -> str | None:
    marked = [one for one in story.model.placed if one.is_marked and _is_free(one)]
    free = [
        one
        for one in story.model.takeable(Side.THERE)
        if Side.HERE not in one.flagged or not story.model.may_seem_moved(one, Side.THERE)
    ]
    one = pick([*free, *marked], at)
    if one is None or one.uid is None:
        return None
    story.there.expunge(one.box.name, one.uid)
    story.model.removed(one, Side.THERE)
    return f"expunge {one}"


def empty(story: Story, at: int) -> str | None:
    """All messages of a mailbox expunged: where another was emptied a short while ago, that is held."""
    free = [
        one
        for one in story.model.takeable(Side.THERE)
        if Side.HERE not in one.flagged and not story.model.may_seem_moved(one, Side.THERE)
    ]
    boxes = [box for box in story.model.usable(Side.THERE) if _is_all(story.model.there(box), free)]
    box = pick(boxes, at)
    if box is None:
        return None
    for one in story.model.there(box):
        if one.uid is not None:
            story.there.expunge(one.box.name, one.uid)
            story.model.removed(one, Side.THERE)
    return f"empty {box}"


def _is_all(those: list[Placed], allowed: list[Placed]) -> bool:
    octets = {one.octets for one in those}
    return bool(those) and len(octets) == len(those) and all(one in allowed for one in those)


def unmark(story: Story, at: int) -> str | None:
    r"""\\Deleted taken from a message that was deleted here: somebody wants it back."""
    one = pick([one for one in story.model.placed if one.is_marked and _is_free(one)], at)
    if one is None or one.uid is None:
        return None
    story.there.set_flag(one.box.name, one.uid, DELETED, value=False)
    one.flags.discard(DELETED)
    one.owner, one.is_marked, one.is_new = Side.THERE, False, True
    story.model.stir(one.box)
    return f"unmark {one}"


def move(story: Story, at: int, to: int) -> str | None:
    found = _with_target(story, at, to, is_move=True)
    if found is None:
        return None
    one, uid, target = found
    new = story.there.move(one.box.name, uid, target.name)
    said = f"move {one} to {target}"
    if Side.HERE in one.flagged:
        story.model.keep_alone(one)
    one.stem = None
    story.model.moved(one, target, Side.THERE)
    one.uid, one.is_new = new, True
    return said


def copy(story: Story, at: int, to: int) -> str | None:
    found = _with_target(story, at, to, is_move=False)
    if found is None:
        return None
    one, uid, target = found
    fresh = story.model.copied(one, target, set(one.flags), Side.THERE)
    fresh.uid = story.there.copy(one.box.name, uid, target.name)
    return f"copy {one} to {target}"


def reset(story: Story, at: int) -> str | None:
    """New UIDs for every message of a mailbox, under a new UIDVALIDITY."""
    # Dovecot gives new UIDs to a mailbox that replaces another, and only INBOX cannot be replaced.
    free = [box for box in story.model.resettable() if not (story.stage.is_dovecot and box.name == INBOX)]
    box = pick(free, at)
    if box is None:
        return None
    story.there.reset(box.name)
    box.is_reset = True
    for one in (*story.model.placed, *story.model.ghosts):
        if one.box is box:
            one.uid = None
    return f"reset {box}"


def create_mailbox(story: Story, at: int) -> str | None:
    name = story.name(at)
    if name is None:
        return None
    story.there.create(name)
    story.model.boxes.append(Box(name, owner=Side.THERE))
    return f"create {name}"


def rename_mailbox(story: Story, at: int, to: int) -> str | None:
    # Without MAILBOXID only its messages can tell that it is the same; those that are marked there are no longer here.
    free = [
        box
        for box in story.model.changeable(Side.THERE)
        if not story.stage.is_dovecot
        or story.model.here(box)
        or not any(one.is_marked and one.box is box for one in story.model.placed)
    ]
    box = pick(free, at)
    name = story.name(to, box)
    if box is None or name is None:
        return None
    said = f"rename {box} to {name}"
    story.there.rename(box.name, name)
    box.name, box.owner = name, Side.THERE
    return said


def remove_mailbox(story: Story, at: int) -> str | None:
    box = pick(story.model.removable(Side.THERE), at)
    if box is None:
        return None
    story.there.delete(box.name)
    story.model.remove_box(box, Side.THERE)
    return f"delete {box}"


def _with_target(story: Story, at: int, to: int, *, is_move: bool) -> tuple[Placed, int, Box] | None:
    free = story.model.takeable(Side.THERE)
    # A wish on its way to a message that goes in that very moment is answered OK, and is not seen again.
    free = [one for one in free if one.octets not in story.model.gone[Side.THERE] and not one.is_wished]
    if is_move and Power.MOVES_THERE_ARE_RENAMES in POWERS:
        # What was flagged here meanwhile follows it, but for one of several equal messages: which one moved is open.
        free = [one for one in free if Side.HERE not in one.flagged or story.model.is_alone(one)]
    else:
        free = [one for one in free if Side.HERE not in one.flagged]
    if (
        story.stage.is_dovecot
    ):  # without MAILBOXID a mailbox that was renamed is known by the message that goes
        free = [one for one in free if not (one.box.owner is Side.THERE and Side.HERE in one.flagged)]
    one = pick(free, at)
    if one is None or one.uid is None:
        return None
    target = pick(
        [box for box in story.model.usable(Side.THERE) if box is not one.box and not box.is_reset], to
    )
    return None if target is None else (one, one.uid, target)


def _is_free(one: Placed) -> bool:
    return one.owner is None and one.uid is not None and not one.box.is_reset
