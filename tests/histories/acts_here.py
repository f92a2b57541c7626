"""What may be done in the tree: each act changes files and model alike, or finds nothing to do.

`at` and `to` are any numbers: they choose among what the model allows, so that a shrunk history stays a history. Each
act returns what it did in words, or None.
"""

from daemon.model.flags import Flag
from daemon.model.ids import MailboxName, MaildirName
from daemon.model.operations import OperationKind
from daemon.model.settings import DeleteRule
from daemon.service.wakes import WakeReason
from daemon.sync import guard
from tests.histories.nouns import LETTERS, STOWAGE, Box, Placed, Side
from tests.histories.story import Story, pick
from tests.support.bridge import ACCOUNT
from tests.sync.stage import ask


def create(story: Story, to: int, flags: frozenset[Flag], like: int | None) -> str | None:
    """A new file, perhaps with the octets of a message that is there already."""
    box = pick(story.model.usable(Side.HERE), to)
    if box is None:
        return None
    octets, date = story.octets(like, box, Side.HERE)
    one = story.model.add(octets, box, date, set(flags), Side.HERE)
    one.stem = f"{date}.{one.number}.reader"
    story.here.put(box.directory, one.stem, octets, set(flags), date)
    return f"create {one} with {_words(flags)}"


def turn_flag(story: Story, at: int, flag: Flag) -> str | None:
    one = pick(story.model.flaggable(Side.HERE), at)
    if one is None:
        return None
    value = story.model.turn(one, flag, Side.HERE)
    story.here.set_flag(one.box.directory, one.stem, flag, value=value)
    return f"flag {one}: {flag} {value}"


def delete(story: Story, at: int) -> str | None:
    one = pick([one for one in story.model.takeable(Side.HERE) if _may_be_deleted(story, one)], at)
    if one is None:
        return None
    story.here.remove(one.box.directory, one.stem)
    story.model.deleted_here(one)
    return f"delete {one}"


def move(story: Story, at: int, to: int, *, keeps_name: bool = True) -> str | None:
    """A file renamed into another mailbox, perhaps under another unique name: then it is another message."""
    is_clear = not story.model.is_a_directory_away()
    free = [one for one in story.model.takeable(Side.HERE) if is_clear and not one.has_keyword]
    if not keeps_name or not story.model.has_uidplus:  # it goes up again with the flags that its file shows
        free = [one for one in free if not one.is_wished and Side.THERE not in one.flagged]
    if (
        not keeps_name
    ):  # known by its octets, it is moved; in a pass over one mailbox it is a deletion and a new file
        is_one_end = story.model.rule is DeleteRule.EXPUNGE or not story.model.has_uidplus
        free = [one for one in free if is_one_end and _may_be_deleted(story, one)]
    one = pick(free, at)
    target = pick(story.model.places_for(one), to) if one is not None else None
    if one is None or target is None:
        return None
    stem = one.stem if keeps_name else f"{one.stem.partition('.moved')[0]}.moved{story.next_number()}"
    story.here.move(one.box.directory, one.stem, target.directory, stem)
    said = f"move {one} to {target} as {stem}"
    if keeps_name:
        story.model.moved(one, target, Side.HERE)
        return said
    story.model.deleted_here(one)
    fresh = story.model.add(one.octets, target, one.date, set(one.flags), Side.HERE)
    fresh.flags = {flag for flag in LETTERS if flag in one.flags}
    fresh.stem = stem
    story.model.has_moved_here = True
    story.model.stir(target)
    return said


def move_as_new(story: Story, at: int, to: int) -> str | None:
    return move(story, at, to, keeps_name=False)


def copy(story: Story, at: int, to: int) -> str | None:
    free = [
        one
        for one in story.model.takeable(Side.HERE)
        if not one.has_keyword
        and not one.is_wished
        and Side.THERE not in one.flagged
        and one.octets not in story.model.gone[Side.HERE]
    ]
    one = pick(free, at)
    target = pick(story.model.places_for(one), to) if one is not None else None
    if one is None or target is None:
        return None
    letters = story.here.copy(one.box.directory, one.stem, target.directory)
    shown = {flag for flag, letter in LETTERS.items() if letter in letters}
    fresh = story.model.copied(one, target, shown, Side.HERE)
    fresh.stem = one.stem
    return f"copy {one} to {target}"


def stow(story: Story, at: int) -> str | None:
    """A file moved into a directory that is no mailbox: its message is not here, and not missing either.

    Not one whose file was flagged a moment ago: nobody looks at a file out of sight, so the server hears of it later.
    """
    free = [
        one
        for one in story.model.takeable(Side.HERE)
        if one.uid is not None
        and Side.HERE not in one.flagged
        and not (one.has_keyword or one.is_wished or one.is_new)
        and story.model.is_alone(one)
    ]
    one = pick(free, at)
    if one is None:
        return None
    story.here.move(one.box.directory, one.stem, story.directory_of(STOWAGE), one.stem)
    story.model.keep_alone(one)
    story.model.stir(one.box)
    one.owner, one.is_stowed = Side.HERE, True
    return f"stow {one} away"


def fetch_back(story: Story, at: int) -> str | None:
    """The same file back in its mailbox."""
    free = [one for one in story.model.stowed() if one.box in story.model.usable(Side.HERE)]
    one = pick(free, at)
    if one is None:
        return None
    story.here.move(story.directory_of(STOWAGE), one.stem, one.box.directory, one.stem)
    story.model.stir(one.box)
    one.owner, one.is_stowed = Side.HERE, False
    return f"fetch {one} back"


def empty(story: Story, at: int) -> str | None:
    """All files of a mailbox deleted: where another was emptied a short while ago, that is held."""
    deletable = [one for one in story.model.takeable(Side.HERE) if _may_be_deleted(story, one)]
    box = pick(
        [box for box in story.model.usable(Side.HERE) if _is_all(story, story.model.here(box), deletable)], at
    )
    if box is None:
        return None
    for one in story.model.here(box):
        story.here.remove(one.box.directory, one.stem)
        story.model.deleted_here(one)
    return f"empty {box}"


def _is_all(story: Story, those: list[Placed], allowed: list[Placed]) -> bool:
    return bool(those) and all(one in allowed and not story.model.copies(one) for one in those)


def put_back(story: Story, at: int) -> str | None:
    """A file that was deleted, whose deletion is held, is back: that is the other way to decide."""
    held = {hold.mailbox for hold in story.bridge.engine.held.values() if hold.side is guard.Side.THERE}
    free = [
        one
        for one in story.model.ghosts
        if one.box.name in held
        and one.box in story.model.usable(Side.HERE)
        and not (one.has_keyword or one.flagged or one.is_wished or one.is_new or one.box.is_reset)
        and story.model.rule is DeleteRule.EXPUNGE
        and one.uid in story.there.contents(one.box.name)
        and one.stem not in story.here.files(one.box.directory)
    ]
    one = pick(free, at)
    if one is None or one.stem is None:
        return None
    story.here.put(one.box.directory, one.stem, one.octets, one.flags, one.date)
    story.model.restored(one)
    return f"put back {one}"


def rename(story: Story, at: int) -> str | None:
    """Another unique name in the same mailbox: the same message all the same."""
    free = [
        one
        for one in story.model.takeable(Side.HERE)
        if not one.is_wished
        and not story.model.may_seem_moved(one, Side.HERE)
        and not story.model.is_a_directory_away()
    ]
    one = pick(free, at)
    if one is None:
        return None
    story.model.has_moved_here = True
    stem = f"{one.stem.partition('.again')[0]}.again{story.next_number()}"
    story.here.rename(one.box.directory, one.stem, stem)
    one.owner, one.stem = Side.HERE, stem
    story.model.stir(one.box)
    return f"rename {one} to {stem}"


async def wish_flag(story: Story, at: int, flag: Flag) -> str | None:
    """A flag asked for over the API."""
    one = pick(story.model.flaggable(Side.HERE), at)
    message = await _message_of(story, one)
    if one is None or message is None:
        return None
    value = story.model.turn(one, flag, Side.HERE)
    one.is_wished = True
    change = {"add": {flag}} if value else {"remove": {flag}}
    await ask(story.bridge, message.id, OperationKind.FLAGS, **change)
    story.ear.wake(message.mailbox, WakeReason.OPERATION)
    return f"wish {one}: {flag} {value}"


async def wish_deletion(story: Story, at: int) -> str | None:
    """A message named for deletion over the API."""
    free = [
        one
        for one in story.model.takeable(Side.HERE)
        if one.owner is None and not one.is_new and _may_be_deleted(story, one)
    ]
    one = pick(free, at)
    message = await _message_of(story, one)
    if one is None or message is None:
        return None
    await ask(story.bridge, message.id)
    story.ear.wake(message.mailbox, WakeReason.OPERATION)
    story.model.deleted_here(one)
    return f"wish {one} away"


async def _message_of(story: Story, one: Placed | None):
    """None for a file that the store does not know there: moved or made in this very round."""
    if one is None or one.stem is None:
        return None
    return await story.bridge.store.messages.by_name(
        ACCOUNT, MailboxName(one.box.name), MaildirName(one.stem)
    )


def _may_be_deleted(story: Story, one: Placed) -> bool:
    """Not where it would look like a move, nor where what was flagged here may or may not be on the server when its
    copy goes to the Trash.
    """
    is_flag_at_stake = story.model.goes_to_trash(one) and (Side.HERE in one.flagged or one.is_wished)
    return not is_flag_at_stake and not story.model.may_seem_moved(one, Side.HERE)


def _words(flags: frozenset[Flag]) -> str:
    return ", ".join(sorted(flags)) or "no flags"


def make_mailbox(story: Story, at: int) -> str | None:
    name = story.name(at)
    if name is None:
        return None
    box = Box(name, story.directory_of(name), owner=Side.HERE)
    story.here.make_mailbox(box.directory)
    story.model.boxes.append(box)
    return f"make {box}"


def rename_mailbox(story: Story, at: int, to: int) -> str | None:
    box = pick(story.model.renamable_here(), at)
    name = story.name(to, box)
    if box is None or name is None:
        return None
    said = f"rename {box} to {name}"
    directory = story.directory_of(name)
    story.here.rename_mailbox(box.directory, directory)
    box.name, box.directory, box.owner = name, directory, Side.HERE
    return said


def remove_mailbox(story: Story, at: int) -> str | None:
    r"""A directory removed whole. Not where what is left of its messages, marked with \\Deleted, keeps the mailbox."""
    is_free = story.model.rule is not DeleteRule.MARK and not story.model.has_moved_here
    free = [
        box
        for box in story.model.removable(Side.HERE)
        if is_free
        and all(one.uid is not None and _may_be_deleted(story, one) for one in story.model.here(box))
    ]
    box = pick(free, at)
    if box is None:
        return None
    story.here.remove_mailbox(box.directory)
    story.model.remove_box(box, Side.HERE)
    return f"remove {box}"
