"""Which file and which UID each message of the model is: what the engine's base says of it."""

from typing import TYPE_CHECKING

from daemon.model.ids import MailboxName
from tests.histories.nouns import Box
from tests.support.bridge import ACCOUNT

if TYPE_CHECKING:
    from tests.histories.story import Story


async def find(story: "Story") -> None:
    """What the engine's base says of messages that can be found on one side only so far."""
    records = {record.name: record for record in await story.bridge.store.mailboxes.list(ACCOUNT)}
    for box in story.model.boxes:
        if box.directory is not None and box.name in records:
            box.directory = records[box.name].directory
        by_stem, by_uid = await _base_of(story, box)
        for one in story.model.here(box):
            if one.uid is None and one.stem in by_stem and not box.is_reset:
                one.uid = by_stem[one.stem].uid
            elif one.stem is None and one.uid in by_uid:
                one.stem = by_uid[one.uid].maildir_name


async def assign(story: "Story") -> None:
    """Which file and UID each message is, now that both sides are equal: its own, else any with its octets and flags."""
    for box in story.model.boxes:
        by_stem, _ = await _base_of(story, box)
        files = story.here.files(box.directory) if box.directory is not None else {}
        free = {
            stem: (files[stem].read_bytes(), entry.flags, entry.uid)
            for stem, entry in by_stem.items()
            if stem in files
        }
        waiting = story.model.here(box)
        for is_own in (True, False):
            for one in list(waiting):
                wanted = (one.octets, frozenset(one.flags))
                fits = [stem for stem, (octets, flags, _) in free.items() if (octets, flags) == wanted]
                if is_own:
                    fits = [stem for stem in fits if stem == one.stem]
                if fits:
                    one.stem = fits[0]
                    one.uid = free.pop(fits[0])[2]
                    waiting.remove(one)
        assert not waiting, f"neither file nor UID of {', '.join(map(str, waiting))}"


async def _base_of(story: "Story", box: Box):
    view = await story.bridge.store.base.load(ACCOUNT, MailboxName(box.name))
    return (
        {entry.maildir_name: entry for entry in view.entries if entry.maildir_name is not None},
        {entry.uid: entry for entry in view.entries if entry.uid is not None},
    )
