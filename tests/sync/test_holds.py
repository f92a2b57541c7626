"""Held deletions: kept over restarts, told once, spent only when what was approved has been carried out."""

import pytest

from daemon.model.errors import ConnectionLost, StoreError, StoreForeign
from daemon.model.events import EventName
from daemon.model.flags import FLAGGED, NO_FLAGS
from daemon.model.ids import MaildirName, MessageId, Uid, UidValidity
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry
from daemon.sync.actions import MailboxFacts
from daemon.sync.guard import DIRECTORY_LOST, DeletionBreaker, HeldDeletions, Side
from daemon.sync.holds import Holds
from tests.sync.stage import INBOX, agree, entries, events, letter, messages, restless

LISTS = "Lists"


def hold(mailbox=INBOX, count=60, side=Side.THERE):
    return HeldDeletions(
        mailbox=mailbox,
        side=side,
        count=count,
        size=100,
        reason="many",
        since=5.0,
        uid_validity=UidValidity(7),
        uids=UidSet.from_ranges([(1, count)]),
    )


def holds_of(bridge):
    return Holds(account=bridge.settings.id, store=bridge.store, breaker=DeletionBreaker(share_limit=0.2))


async def test_hold_is_told_once_and_read_back(stage):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.record([hold()], looked_at=[INBOX], undecided={})
        await holds.record([hold(count=61)], looked_at=[INBOX], undecided={})
        assert len(await events(bridge, EventName.DELETION_HELD)) == 1
        again = holds_of(bridge)
        await again.load()
        assert again.current == {INBOX: hold(count=61)}


async def test_mailbox_nobody_looked_at_stays_held_and_one_with_nothing_to_hold_is_free(stage):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.record([hold(), hold(LISTS)], looked_at=[INBOX, LISTS], undecided={})
        await holds.record([], looked_at=[LISTS], undecided={})
        assert set(holds.current) == {INBOX}
        again = holds_of(bridge)
        await again.load()
        assert set(again.current) == {INBOX}


def entry(uid):
    return BaseEntry(
        message_id=MessageId(f"m{uid}"), uid=Uid(uid), maildir_name=MaildirName(f"f{uid}"), flags=NO_FLAGS
    )


async def test_hold_of_which_nothing_was_found_out_stays_for_what_is_undecided(stage):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.record([hold()], looked_at=[INBOX], undecided={})
        await holds.record([], looked_at=[INBOX], undecided={INBOX: UidSet([59, 60, 61])})
        assert (holds.current[INBOX].count, holds.current[INBOX].uids) == (2, UidSet([59, 60]))
        await holds.record([], looked_at=[INBOX], undecided={INBOX: UidSet([61])})
        assert not holds.current


async def test_approval_outlives_a_restart_and_is_spent_deletion_by_deletion(stage):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.record([hold(), hold(LISTS)], looked_at=[INBOX, LISTS], undecided={})
        await holds.approve(INBOX)
        again = holds_of(bridge)
        await again.load()
        await again.spend({LISTS: range(1, 61), INBOX: range(1, 51)})
        assert again.approved(INBOX).uids == UidSet.from_ranges([(51, 60)])
        last = holds_of(bridge)
        await last.load()
        assert last.approved(INBOX).count == 10
        await last.spend({INBOX: range(51, 61)})
        assert last.approved(INBOX) is None
        end = holds_of(bridge)
        await end.load()
        assert end.approved(INBOX) is None


async def test_approval_of_nothing_held_is_none(stage):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.approve(INBOX)
        assert holds.approved(INBOX) is None


@pytest.mark.parametrize("side", Side)
async def test_approval_ends_for_what_is_not_missing_any_more(stage, side):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.record([hold(side=side)], looked_at=[INBOX], undecided={})
        await holds.approve(INBOX)
        missing = (
            {"local_vanished": (entry(1),)} if side is Side.THERE else {"remote_vanished_stated": (entry(1),)}
        )
        await holds.confine([MailboxFacts(mailbox=INBOX, undecided=(entry(2), entry(99)), **missing)])
        assert holds.approved(INBOX).uids == UidSet([1, 2])
        other = (
            {"local_vanished": (entry(1),)} if side is Side.HERE else {"remote_vanished_stated": (entry(1),)}
        )
        await holds.confine([MailboxFacts(mailbox=INBOX, **other)])
        assert holds.approved(INBOX) is None


async def test_hold_and_approval_follow_the_name_of_their_mailbox_and_end_with_it(stage):
    async with stage.bridge() as bridge:
        holds = holds_of(bridge)
        await holds.record([hold(LISTS)], looked_at=[LISTS], undecided={})
        await holds.approve(LISTS)
        await holds.rename(LISTS, "Groups")
        again = holds_of(bridge)
        await again.load()
        assert again.current == {"Groups": hold("Groups")}
        assert again.approved("Groups") == hold("Groups")
        assert again.approved(LISTS) is None
        await again.drop("Groups")
        last = holds_of(bridge)
        await last.load()
        assert not last.current
        assert last.approved("Groups") is None


async def test_approval_written_by_an_older_version_is_asked_for_again(stage):
    async with stage.bridge() as bridge:
        await bridge.store.facts.set(bridge.settings.id, "held_approved", '["INBOX"]')
        holds = holds_of(bridge)
        await holds.load()
        assert holds.approved(INBOX) is None


async def held_there(bridge, stage, count=60):
    """That many files gone at once: held."""
    stage.deliver(*(letter(number) for number in range(count)))
    await bridge.sync()
    for path in (await bridge.files()).values():
        path.unlink()
    assert (await bridge.sync()).held == count


async def test_hold_stays_while_the_tree_is_too_restless_to_be_read(stage):
    """Not seen and not proved missing is no reason that has gone."""
    async with stage.bridge() as bridge:
        await held_there(bridge, stage)
        with restless(bridge.tree.root / "cur"):
            assert (await bridge.run_pass()).held == 60
        assert (await bridge.run_pass()).held == 60
        assert len(await events(bridge, EventName.DELETION_HELD)) == 1


async def test_approval_is_not_spent_by_a_pass_over_a_restless_tree(stage):
    async with stage.bridge() as bridge:
        await held_there(bridge, stage)
        await bridge.engine.approve(INBOX)
        with restless(bridge.tree.root / "cur"):
            assert (await bridge.run_pass()).expunged_there == 0
        assert (await bridge.sync()).expunged_there == 60
        await agree(bridge, stage)


async def test_approval_is_not_spent_by_a_pass_that_loses_its_line(stage):
    async with stage.bridge() as bridge:
        await held_there(bridge, stage)
        await bridge.engine.approve(INBOX)
        stage.line.cut(rb"UID STORE")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        assert (await bridge.sync()).expunged_there == 60
        assert stage.there() == []
        assert not bridge.engine.held
        await agree(bridge, stage)


@pytest.mark.parametrize("without", [(), ("QRESYNC",), ("QRESYNC", "CONDSTORE")])
async def test_mailbox_emptied_on_the_server_stays_held_until_somebody_decides(tmp_path, without):
    """S10. With QRESYNC the server tells of what vanished only as long as our mark stays where it was."""
    from tests.sync.stage import open_stage

    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(60)))
        await bridge.sync()
        await bridge.disconnect()
        stage.box().expunge(list(stage.box().messages))
        for _ in range(3):
            result = await bridge.sync()
            assert (result.held, result.removed_here) == (60, 0)
        stage.deliver(letter(99))
        result = await bridge.sync()
        assert (result.held, result.downloaded, result.removed_here) == (60, 1, 0), "new mail decides nothing"
        assert len(await bridge.files()) == 61
        await bridge.engine.approve(INBOX)
        assert (await bridge.sync()).removed_here == 60
        assert not bridge.engine.held
        await agree(bridge, stage)


async def test_hold_ends_by_itself_when_what_was_missing_is_back(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(60)))
        await bridge.sync()
        cur, away = bridge.tree.root / "new", stage.path / "away"
        cur.rename(away)
        cur.mkdir()
        assert (await bridge.sync()).held == 60
        cur.rmdir()
        away.rename(cur)
        assert (await bridge.sync()).held == 0
        await agree(bridge, stage)


async def test_loss_of_a_directory_is_held_and_approved_it_is_a_deletion(stage):
    """Sync.md 13 and 14: held whatever the size; approved, its messages go, and the mailbox with them."""
    stage.deliver(letter(1), letter(2), mailbox="Archive")
    async with stage.bridge() as bridge:
        stage.deliver(letter(3))
        await bridge.sync()
        victim = bridge.tree.root / ".Archive"
        victim.rename(stage.path / "gone")
        assert (await bridge.sync()).held == 2
        assert bridge.engine.held["Archive"].reason == DIRECTORY_LOST
        assert not victim.exists()
        await bridge.engine.approve("Archive")
        assert (await bridge.sync()).expunged_there == 2
        assert stage.user.find("Archive") is None
        assert not bridge.engine.held
        stage.deliver(letter(4), mailbox="Archive")
        assert (await bridge.sync()).downloaded == 1
        await agree(bridge, stage, "INBOX", "Archive")


async def test_foreign_directory_is_never_written_to_even_when_approved(stage):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        victim = bridge.tree.root / ".Archive"
        (victim / "mailsyncd-id").write_text(
            (victim / "mailsyncd-id").read_text().replace("account work", "account other")
        )
        with pytest.raises(StoreForeign):
            await bridge.tree.check_identity(".Archive")
        stage.deliver(letter(2), mailbox="Archive")
        assert (await bridge.sync()).held == 1
        await bridge.engine.approve("Archive")
        await bridge.sync()
        assert len(stage.there("Archive")) == 2
        assert len(list(victim.glob("new/*"))) == 1


async def test_empty_directory_in_the_place_of_a_mailbox_deletes_nothing(stage):
    """A mount point without its disk has cur, new and tmp as well; three messages are below every limit."""
    stage.deliver(letter(1), letter(2), letter(3), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        victim = bridge.tree.root / ".Archive"
        victim.rename(stage.path / "unmounted")
        for part in ("cur", "new", "tmp"):
            (victim / part).mkdir(parents=True)
        stage.deliver(letter(4), mailbox="Archive")
        result = await bridge.sync()
        assert (result.held, result.expunged_there, result.downloaded) == (3, 0, 0)
        assert len(stage.there("Archive")) == 4


async def test_small_deletion_is_not_held_because_earlier_passes_failed(stage):
    """Forty files, a server that is busy, six passes: forty, not two hundred and forty."""
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(100)))
        await bridge.sync()
        for path in list((await bridge.files()).values())[:40]:
            path.unlink()
        rule = stage.line.refuse(rb"UID STORE", b"NO [INUSE] busy")
        for _ in range(6):
            assert (await bridge.run_pass()).held == 0
        stage.line.rules.remove(rule)
        assert (await bridge.sync()).expunged_there == 40
        await agree(bridge, stage)


async def test_approval_is_spent_although_one_file_is_neither_here_nor_missing(stage):
    """One undecided message must not switch the breaker off for all later ones."""
    stage.deliver(*(letter(number) for number in range(400)))
    async with stage.bridge() as bridge:
        await bridge.sync()
        (kept, path), *files = sorted((await bridge.files()).items())
        theirs = bridge.tree.root / ".Theirs"
        for part in ("cur", "new", "tmp"):
            (theirs / part).mkdir(parents=True)
        own = (bridge.tree.root / "mailsyncd-id").read_text()
        (theirs / "mailsyncd-id").write_text(own.replace("account work", "account other"))
        path.rename(theirs / "cur" / f"{kept}:2,S")
        for _, file in files[:150]:
            file.unlink()
        assert (await bridge.sync()).held == 150
        await bridge.engine.approve(INBOX)
        assert (await bridge.sync()).expunged_there == 150
        assert not bridge.engine.held
    async with stage.bridge() as bridge:
        for _, file in files[150:350]:
            file.unlink()
        result = await bridge.sync()
        assert (result.held, result.expunged_there) == (200, 0)
        assert len(stage.there()) == 250


async def test_deletion_refused_once_stays_approved_and_covers_no_other(stage):
    """A part of what was approved is done, the server refuses the rest; what is missed meanwhile is another matter."""
    stage.deliver(*(letter(number) for number in range(1000)))
    async with stage.bridge() as bridge:
        await bridge.sync()
        files = [path for _, path in sorted((await bridge.files()).items())]
        for path in files[:600]:
            path.unlink()
        await bridge.sync()
        await bridge.engine.approve(INBOX)
        stage.line.refuse(rb"UID STORE", b"NO [NOPERM] not you", times=1)
        assert (await bridge.run_pass()).expunged_there == 100
        for path in files[600:900]:
            path.unlink()
        result = await bridge.run_pass()
        assert (result.held, result.expunged_there) == (300, 0)
        assert len(stage.there()) == 900


@pytest.mark.parametrize("step", ["expunge", "spend"])
async def test_death_between_expunge_and_spending_leaves_an_approval_of_nothing(stage, step):
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(200)))
        await bridge.sync()
        for path in list((await bridge.files()).values())[:60]:
            path.unlink()
        await bridge.sync()
        await bridge.engine.approve(INBOX)
        if step == "expunge":
            stage.line.lose(rb"UID EXPUNGE")
            with pytest.raises(ConnectionLost):
                await bridge.run_pass()
            assert len(stage.there()) == 140
        else:

            async def die(*_):
                raise StoreError("power cut")

            bridge.engine._holds.spend = die
            with pytest.raises(StoreError):
                await bridge.run_pass()
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert not bridge.engine.held
        assert bridge.engine._holds.approved(INBOX) is None
        for path in list((await bridge.files()).values())[:60]:
            path.unlink()
        assert (await bridge.sync()).held == 60
        assert len(stage.there()) == 140


async def test_approval_does_not_outlast_the_return_of_the_files(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(100)))
        await bridge.sync()
        here, away = bridge.tree.root / "new", stage.path / "away"
        here.rename(away)
        here.mkdir()
        assert (await bridge.sync()).held == 100
        await bridge.engine.approve(INBOX)
        here.rmdir()
        away.rename(here)
        assert (await bridge.sync()).held == 0
        for path in (await bridge.files()).values():
            path.unlink()
        result = await bridge.sync()
        assert (result.held, result.expunged_there) == (100, 0), "that they went again nobody has approved"


async def held_with_files_away(bridge, stage):
    """Seventy of eighty files are gone, and held; the UID of one of them, and what puts them back."""
    stage.deliver(*(letter(number) for number in range(80)))
    await bridge.sync()
    away = bridge.tree.root.parent / "away"
    away.mkdir()
    files = await bridge.files()
    names = sorted(files)[:70]
    for name in names:
        files[name].rename(away / name)
    assert (await bridge.sync()).held == 70
    (uid,) = [one.uid for one in await entries(bridge) if one.maildir_name == names[0]]

    def put_back() -> None:
        for path in away.iterdir():
            path.rename(bridge.tree.root / "cur" / f"{path.name}:2,")

    return uid, put_back


async def test_flags_changed_while_a_deletion_is_held_come_down_when_the_files_are_back(stage):
    async with stage.bridge() as bridge:
        uid, put_back = await held_with_files_away(bridge, stage)
        stage.box().set_flags(uid, frozenset({FLAGGED}))
        stage.deliver(letter(100))
        await bridge.sync()
    async with stage.bridge() as bridge:
        await bridge.sync()
        put_back()
        result = await bridge.sync()
        assert (result.held, result.expunged_there) == (0, 0)
        assert stage.flags_there()[uid] == {FLAGGED}
        assert [one.flags for one in await messages(bridge) if one.flags] == [{FLAGGED}]
        await agree(bridge, stage)
        sent = len(stage.line.commands)
        await bridge.run_pass()
        assert not [one for one in stage.line.commands[sent:] if one.startswith(b"SELECT")], (
            "the mark is moved"
        )
