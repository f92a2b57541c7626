"""A change costs the change: what was told is looked at, what cannot be told from it is left to the whole look."""

import asyncio
import contextlib

import pytest

from daemon.model.flags import ANSWERED, FLAGGED, SEEN
from daemon.model.local_news import NO_NEWS, FileEvent, FileNews, LocalNews
from daemon.model.operations import OperationKind
from tests.support.bridge import ACCOUNT
from tests.sync.stage import INBOX, agree, ask, entries, letter, messages, open_stage, put, sha

ARRIVED, RENAMED, UNLINKED, DEPARTED = FileEvent


class Listings:
    """The mailboxes whose files were listed whole since the last call."""

    def __init__(self, tree) -> None:
        self._listed: list[str] = []
        scan = tree.scan

        async def noted(directory):
            self._listed.append(directory)
            return await scan(directory)

        tree.scan = noted

    def taken(self) -> list[str]:
        listed, self._listed[:] = list(self._listed), []
        return listed


@contextlib.asynccontextmanager
async def settled(stage, *, count: int = 6, **options):
    """Both sides agree on some messages, seen ones."""
    stage.deliver(*(letter(number) for number in range(count)), flags={SEEN})
    async with stage.bridge(**options) as bridge:
        await bridge.sync()
        bridge.listings = Listings(bridge.tree)
        yield bridge


async def file_of(bridge, number: int, mailbox: str = "INBOX"):
    return next(
        (name, path)
        for name, path in (await bridge.files(mailbox)).items()
        if path.read_bytes() == letter(number)
    )


def mark(path, letters: str):
    return path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{letters}")


def told(name, event: FileEvent, path, mailbox=INBOX) -> LocalNews:
    return LocalNews(files={mailbox: {name: FileNews(event, f"{path.parent.name}/{path.name}")}})


async def look(bridge, news=NO_NEWS, *mailboxes):
    """A pass over what was told, after the server has had a chance to say what it knows, as it has in IDLE."""
    await bridge.client.noop()
    return await bridge.run_pass(only=set(mailboxes) or {INBOX}, news=news)


# -- what costs the change ---------------------------------------------------------------------------------------


async def test_flag_set_here_goes_there(stage) -> None:
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        result = await look(bridge, told(name, RENAMED, mark(path, "FS")))
        assert result.flags_changed == 1
        assert stage.flags_there()[3] == {SEEN, FLAGGED}
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


async def test_file_unlinked_here_is_expunged_there(stage) -> None:
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        path.unlink()
        assert (await look(bridge, told(name, UNLINKED, path))).expunged_there == 1
        assert 3 not in stage.flags_there()
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


async def test_new_file_here_goes_up(stage) -> None:
    async with settled(stage) as bridge:
        path = put(bridge, "50.me", letter(50), letters="S")
        assert (await look(bridge, told("50.me", ARRIVED, path))).uploaded == 1
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


async def test_news_of_the_server_come_down(stage) -> None:
    async with settled(stage) as bridge:
        stage.deliver(letter(20))
        stage.box().set_flags(1, frozenset({FLAGGED}))
        stage.box().expunge([2])
        result = await look(bridge)
        assert (result.downloaded, result.flags_changed, result.removed_here) == (1, 1, 1)
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


async def test_both_sides_merge_as_in_a_whole_look(stage) -> None:
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        stage.box().set_flags(3, frozenset({SEEN, ANSWERED}))
        await look(bridge, told(name, RENAMED, mark(path, "F")))
        assert stage.flags_there()[3] == {ANSWERED, FLAGGED}
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


async def test_wishes_are_carried_out(stage) -> None:
    async with settled(stage) as bridge:
        ids = {one.content.envelope.subject: one.id for one in await messages(bridge)}
        await ask(bridge, ids["letter 1"], kind=OperationKind.FLAGS, add={FLAGGED})
        await ask(bridge, ids["letter 2"])
        result = await look(bridge)
        assert (result.flags_changed, result.expunged_there) == (1, 1)
        assert not await bridge.store.operations.pending(ACCOUNT)
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


async def test_marks_move_so_that_the_next_pass_selects_nothing_more(stage) -> None:
    async with settled(stage) as bridge:
        await bridge.client.unselect()
        stage.deliver(letter(20))
        await look(bridge)
        record = await bridge.store.mailboxes.get(ACCOUNT, INBOX)
        assert (record.uid_next, record.message_count) == (8, 7)
        assert record.highest_mod_seq == stage.box().highest_mod_seq


async def test_our_own_delivery_told_by_the_watch_is_nothing_new(stage) -> None:
    async with settled(stage) as bridge:
        stage.deliver(letter(20))
        await look(bridge)
        name, path = await file_of(bridge, 20)
        assert (await look(bridge, told(name, ARRIVED, path))).is_quiet
        assert bridge.listings.taken() == []


async def test_our_own_delivery_is_nothing_new_where_the_map_spells_its_keyword_otherwise(stage) -> None:
    """Keywords compare without case (RFC 5788): the server says `Work`, the letter stands for `work`."""
    async with settled(stage) as bridge:
        (bridge.tree.root / "dovecot-keywords").write_text("0 work\n")
        stage.deliver(letter(20), flags={SEEN, "Work"})
        await look(bridge)
        name, path = await file_of(bridge, 20)
        assert path.name.endswith(":2,Sa")
        assert (await look(bridge, told(name, ARRIVED, path))).is_quiet
        assert bridge.listings.taken() == []


async def test_without_qresync_counts_tell_that_nothing_is_gone(tmp_path) -> None:
    async with open_stage(tmp_path, without=("QRESYNC",)) as stage, settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        stage.deliver(letter(20))
        result = await look(bridge, told(name, RENAMED, mark(path, "FS")))
        assert (result.flags_changed, result.downloaded) == (1, 1)
        assert bridge.listings.taken() == []
        await agree(bridge, stage)


# -- what proves too little --------------------------------------------------------------------------------------


async def test_file_told_as_unlinked_that_is_there_is_not_expunged(stage) -> None:
    """Its removal was told, its second name was not."""
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        mark(path, "FS")
        await look(bridge, told(name, UNLINKED, path))
        assert stage.flags_there()[3] == {SEEN, FLAGGED}
        await agree(bridge, stage)


async def test_file_that_went_after_it_was_told_waits(stage) -> None:
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        news = told(name, RENAMED, mark(path, "FS"))
        (path.parent / f"{name}:2,FS").unlink()
        assert (await look(bridge, news)).is_quiet
        assert 3 in stage.flags_there()
        assert bridge.listings.taken() == []
        await bridge.sync()
        assert 3 not in stage.flags_there()


async def test_file_moved_to_another_mailbox_is_moved_there(stage) -> None:
    stage.user.create("Archive")
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        target = path.rename(bridge.tree.root / ".Archive" / "cur" / path.name)
        news = told(name, DEPARTED, path).joined(told(name, ARRIVED, target, "Archive"))
        sent = len(stage.line.commands)
        assert (await look(bridge, news, INBOX, "Archive")).moved == 1
        assert stage.there("Archive") == [sha(letter(2))]
        assert not [one for one in stage.line.commands[sent:] if b"APPEND" in one or b"BODY" in one]
        assert bridge.listings.taken() == []
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_move_of_which_one_end_was_told_is_looked_at_whole(stage) -> None:
    stage.user.create("Archive")
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        path.rename(bridge.tree.root / ".Archive" / "cur" / path.name)
        assert (await look(bridge, told(name, DEPARTED, path))).moved == 1
        assert stage.there("Archive") == [sha(letter(2))]
        assert "." in bridge.listings.taken()


async def test_file_moved_back_and_forth_is_where_it_was(stage) -> None:
    stage.user.create("Archive")
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        news = told(name, DEPARTED, path).joined(told(name, ARRIVED, path))
        news = news.joined(told(name, ARRIVED, path, "Archive")).joined(told(name, DEPARTED, path, "Archive"))
        assert (await look(bridge, news, INBOX, "Archive")).is_quiet
        assert bridge.listings.taken() == []


async def test_file_of_ours_that_arrives_alone_is_looked_for_where_it_was(stage) -> None:
    stage.user.create("Archive")
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        target = path.rename(bridge.tree.root / ".Archive" / "cur" / path.name)
        await asyncio.sleep(0.1)
        assert (await look(bridge, told(name, ARRIVED, target, "Archive"), "Archive")).moved == 1
        assert len(stage.there()) == 5


async def test_second_file_under_a_known_name_is_a_new_message(stage) -> None:
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        twin = path.parent / f"{name}:2,FS"
        twin.write_bytes(letter(2))
        await look(bridge, told(name, ARRIVED, twin))
        await bridge.sync()
        assert len(stage.there()) == 7
        await agree(bridge, stage)


async def test_missing_file_that_nobody_told_of_is_proved_by_the_whole_look(stage) -> None:
    async with settled(stage) as bridge:
        _, path = await file_of(bridge, 2)
        path.unlink()
        stage.box().set_flags(3, frozenset({FLAGGED}))
        await look(bridge)
        assert "." in bridge.listings.taken()
        await bridge.sync()
        await agree(bridge, stage)


async def test_many_files_unlinked_are_held_like_any_mass_deletion(stage) -> None:
    async with settled(stage, count=120, deletion_limit=0.25) as bridge:
        files = sorted((await bridge.files()).items())
        for start in range(0, 80, 20):
            news = NO_NEWS
            for name, path in files[start : start + 20]:
                path.unlink()
                news = news.joined(told(name, UNLINKED, path))
            await look(bridge, news)
        assert len(stage.there()) >= 70
        assert bridge.engine.held[INBOX].size == 120 - (120 - len(stage.there()))
        assert "." in bridge.listings.taken()


async def test_two_mailboxes_emptied_file_by_file_are_held(stage) -> None:
    stage.deliver(letter(30), letter(31), mailbox="Archive")
    async with settled(stage, count=2) as bridge:
        for mailbox in ("Archive", "INBOX"):
            news = NO_NEWS
            for name, path in (await bridge.files(mailbox)).items():
                path.unlink()
                news = news.joined(told(name, UNLINKED, path, mailbox))
            await look(bridge, news, mailbox)
        assert (stage.there("Archive"), len(stage.there())) == ([], 2)
        assert list(bridge.engine.held) == [INBOX]


async def test_directory_that_went_with_its_files_proves_nothing(stage) -> None:
    stage.deliver(letter(30), mailbox="Archive")
    async with settled(stage) as bridge:
        name, path = await file_of(bridge, 30, "Archive")
        path.unlink()
        (bridge.tree.root / ".Archive" / "mailsyncd-id").unlink()
        await look(bridge, told(name, UNLINKED, path, "Archive"), "Archive")
        await bridge.run_pass()
        assert stage.there("Archive") == [sha(letter(30))]
        assert list(bridge.engine.held) == ["Archive"]


async def test_partial_look_settles_no_directory(stage) -> None:
    """The event of another change may have been lost: the next pass over everything has to find it."""
    async with settled(stage) as bridge:
        await asyncio.sleep(0.1)
        await bridge.sync()
        name, path = await file_of(bridge, 2)
        _, other = await file_of(bridge, 4)
        mark(other, "RS")
        await look(bridge, told(name, RENAMED, mark(path, "FS")))
        assert stage.flags_there()[5] == {SEEN}
        await asyncio.sleep(0.1)
        await look(bridge)
        await bridge.sync()
        assert stage.flags_there()[5] == {SEEN, ANSWERED}


@pytest.mark.parametrize("news", [None, LocalNews(unknown=frozenset({INBOX}))])
async def test_change_of_which_nobody_knows_the_file_is_found_by_listing(stage, news) -> None:
    async with settled(stage) as bridge:
        await asyncio.sleep(0.1)
        await bridge.sync()
        bridge.listings.taken()
        _, path = await file_of(bridge, 2)
        mark(path, "FS")
        await look(bridge, news)
        assert stage.flags_there()[3] == {SEEN, FLAGGED}
        assert "." in bridge.listings.taken()


async def test_without_a_watch_a_settled_directory_need_not_be_listed(stage) -> None:
    async with settled(stage) as bridge:
        await asyncio.sleep(0.1)
        await bridge.sync()
        bridge.listings.taken()
        stage.deliver(letter(20))
        assert (await look(bridge, None)).downloaded == 1
        assert bridge.listings.taken() == []


# -- what the server cannot say ----------------------------------------------------------------------------------


async def test_expunge_that_is_not_named_is_found_by_the_whole_look(tmp_path) -> None:
    async with open_stage(tmp_path, without=("QRESYNC",)) as stage, settled(stage) as bridge:
        stage.box().expunge([2])
        assert (await look(bridge)).removed_here == 1
        assert "." in bridge.listings.taken()
        await agree(bridge, stage)


async def test_server_without_marks_is_compared_whole(tmp_path) -> None:
    async with open_stage(tmp_path, without=("QRESYNC", "CONDSTORE")) as stage, settled(stage) as bridge:
        name, path = await file_of(bridge, 2)
        stage.box().set_flags(1, frozenset({FLAGGED}))
        assert (await look(bridge, told(name, RENAMED, mark(path, "FS")))).flags_changed == 2
        await agree(bridge, stage)


async def test_new_numbering_is_left_to_the_gate(stage) -> None:
    async with settled(stage) as bridge:
        await bridge.client.unselect()
        stage.box().reset(99)
        name, path = await file_of(bridge, 2)
        await look(bridge, told(name, RENAMED, mark(path, "FS")))
        await bridge.sync()
        assert len(await entries(bridge)) == len(await bridge.files()) == 6
        await agree(bridge, stage)


async def test_mailbox_that_cannot_be_selected_is_recorded_once(stage) -> None:
    async with settled(stage) as bridge:
        await bridge.client.unselect()
        stage.line.refuse(rb"SELECT INBOX", b"NO [UNAVAILABLE] later", times=2)
        assert (await look(bridge)).failed == 1
        stage.deliver(letter(20))
        await bridge.sync()
        await agree(bridge, stage)
