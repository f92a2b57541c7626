"""What must be so at a meeting: both sides are what the model says, nothing is left to do, and nobody waits for anything."""

from collections import Counter
from typing import TYPE_CHECKING

from daemon.model.ids import MailboxName
from tests.histories.nouns import LETTERS, STOWAGE, Box
from tests.support.bridge import ACCOUNT

if TYPE_CHECKING:
    from tests.histories.story import Story


async def everything(story: "Story") -> None:
    """Mailboxes, messages, flags and the index are as the model has them; no work, hold, approval or review is left."""
    model, store = story.model, story.bridge.store
    names = {box.name for box in model.boxes}
    assert story.there.mailboxes() == names, f"mailboxes there: {story.there.mailboxes() ^ names}"
    directories = {story.directory_of(name) for name in (*names, STOWAGE)}
    assert story.here.directories() == directories, f"here: {story.here.directories() ^ directories}"
    for box in model.boxes:
        await _box(story, box)
    assert await store.operations.pending(ACCOUNT) == ()
    assert await store.intents.pending(ACCOUNT) == ()
    for fact in ("held", "held_approved", "review"):
        kept = await store.facts.get(ACCOUNT, fact)
        assert kept is None, f"{fact}, for ever: {kept}"
    total = sum(len(model.here(box)) + len(model.left[box]) for box in model.boxes) + len(model.stowed())
    assert store.counts_of(ACCOUNT).total == total


async def _box(story: "Story", box: Box) -> None:
    model = story.model
    record = await story.bridge.store.mailboxes.get(ACCOUNT, MailboxName(box.name))
    assert record is not None, f"no record of {box}"
    box.directory = record.directory
    contents = story.there.contents(box.name)
    marked = _marked(story, box, contents)
    expected = Counter((one.octets, frozenset(one.flags)) for one in model.there(box))
    there = Counter(found for uid, found in contents.items() if uid not in marked)
    assert there == expected, f"{box} there: {_difference(expected, there)}"
    files = story.here.files(box.directory)
    octets = Counter(path.read_bytes() for path in files.values())
    wanted = Counter([one.octets for one in model.here(box)] + model.left[box])
    assert octets == wanted, f"{box} here: {_names(octets)}, not {_names(wanted)}"
    view = await story.bridge.store.base.load(ACCOUNT, MailboxName(box.name))
    away = {one.uid for one in model.placed if one.box is box and one.is_stowed}
    apart = marked | away
    base = {entry.uid: entry for entry in view.entries if entry.uid not in apart and entry.uid is not None}
    agreed = {uid: flags for uid, (_, flags) in contents.items() if uid not in apart}
    assert {uid: entry.flags for uid, entry in base.items()} == agreed, (
        f"{box} in the index: {view.entries}, there: {agreed}"
    )
    for entry in base.values():
        assert entry.maildir_name in files, f"{box}: no file of {entry}, stowed: {sorted(away)}"
        path = files[entry.maildir_name]
        assert path.read_bytes() == contents[entry.uid][0], f"{path.name} is not UID {entry.uid} of {box}"
        letters = {letter for letter in path.name.partition(":2,")[2] if letter.isupper()}
        assert letters == {LETTERS[flag] for flag in entry.flags if flag in LETTERS}, path.name


def _marked(story: "Story", box: Box, contents) -> set[int]:
    r"""UIDs left with \Deleted; their other flags are the server's own."""
    marked = [one for one in story.model.placed if one.box is box and one.is_marked]
    for one in marked:
        assert one.uid in contents, f"{one}, marked, is gone"
        octets, flags = contents[one.uid]
        assert octets == one.octets
        assert "\\Deleted" in flags, f"{one} is not marked but {sorted(flags)}"
        one.flags = set(flags)
    return {one.uid for one in marked if one.uid is not None}


async def rest(story: "Story") -> None:
    """Further passes find nothing to do and write nothing: one over everything, and one of what was told late."""
    before = [story.there.marks(box.name) for box in story.model.boxes]
    result = await story.bridge.run_pass()
    assert result.is_quiet, result
    result = await story.look_at_what_was_told()
    assert result.is_quiet, f"of what was told late: {result}"
    after = [story.there.marks(box.name) for box in story.model.boxes]
    assert after == before, "a quiet pass wrote something"


def _difference(expected: Counter, found: Counter) -> str:
    return f"too many {_names(found - expected)}, missing {_names(expected - found)}"


def _names(found: Counter) -> str:
    """Messages by their subject, which is their number, and flags where there are any."""
    shown = []
    for key, count in found.items():
        octets, flags = key if isinstance(key, tuple) else (key, ())
        subject = octets.partition(b"Subject: ")[2].partition(b"\r")[0].decode()
        shown.append(f"{count} x {subject} {sorted(flags)}")
    return "; ".join(shown) or "nothing"
