"""Listings of the tree: complete, cheap where nothing changed, and overlaid with what people asked for."""

import asyncio
import os
from dataclasses import replace

import pytest
import structlog

from daemon.model.errors import StoreForeign
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.ids import new_message_id
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.views import BaseState
from daemon.sync.local_scan import LocalScan, absent_names, is_as_agreed, view_of
from tests.support.bridge import ACCOUNT
from tests.sync.stage import entries, letter, put


async def scanner(bridge, stage):
    """A scan of its own on a synced INBOX, and its record."""
    stage.deliver(letter(1), letter(2))
    await bridge.sync()
    return LocalScan(bridge.tree, structlog.get_logger()), await bridge.store.mailboxes.get(ACCOUNT, "INBOX")


async def rest() -> None:
    """A stamp that is as young as the last change could not tell the next one from it."""
    await asyncio.sleep(0.1)


async def test_settled_directory_is_unsettled_by_any_change(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        assert await scan.unsettled([record]) == {"INBOX"}
        await rest()
        scan.settle(record, (await scan.list([record]))["INBOX"])
        assert not await scan.unsettled([record])
        path = next(iter((await bridge.files()).values()))
        target = path.parent.parent / "cur" / f"{path.name}:2,S"
        path.rename(target)
        assert await scan.unsettled([record]) == {"INBOX"}
        await rest()
        scan.settle(record, (await scan.list([record]))["INBOX"])
        put(bridge, "1.me", letter(3))
        assert await scan.unsettled([record]) == {"INBOX"}


async def test_change_after_the_listing_began_is_not_settled_with_it(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        await rest()
        listing = (await scan.list([record]))["INBOX"]
        put(bridge, "1.me", letter(3))
        scan.settle(record, listing)
        assert await scan.unsettled([record]) == {"INBOX"}


async def test_forgotten_stamps_make_every_directory_looked_at(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        await rest()
        scan.settle(record, (await scan.list([record]))["INBOX"])
        scan.forget()
        assert await scan.unsettled([record]) == {"INBOX"}


async def test_two_files_of_one_name_are_made_two_messages(stage):
    """Sync.md 6."""
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        put(bridge, "1.me", letter(3), letters="S")
        put(bridge, "1.me", letter(4), letters="F")
        listing = (await scan.list([record]))["INBOX"]
        assert len(listing.entries) == 4
        assert {entry.flags for entry in listing.entries.values()} == {
            frozenset(), frozenset({SEEN}), frozenset({FLAGGED})
        }  # fmt: skip


async def test_hard_link_under_the_same_name_is_dropped(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        path = put(bridge, "1.me", letter(3), letters="S")
        os.link(path, path.with_name("1.me:2,FS"))
        listing = (await scan.list([record]))["INBOX"]
        assert len(listing.entries) == 3


async def test_links_and_fifos_are_neither_mail_nor_a_reason_to_stop(stage):
    """L18."""
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        os.symlink("/etc/passwd", bridge.tree.root / "cur" / "2.me:2,")
        os.mkfifo(bridge.tree.root / "new" / "3.me")
        assert len((await scan.list([record]))["INBOX"].entries) == 2
        assert (await bridge.sync()).uploaded == 0


@pytest.mark.parametrize("how", ["missing", "without its id"])
async def test_directory_that_is_not_ours_is_no_listing(stage, how):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        if how == "missing":
            bridge.tree.root.rename(stage.path / "away")
        else:
            (bridge.tree.root / "mailsyncd-id").unlink()
        with pytest.raises(StoreForeign):
            await scan.list([record])


async def test_absent_are_synced_and_unmatched_files_that_are_not_listed(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        name, path = next(iter((await bridge.files()).items()))
        path.unlink()
        base = await bridge.store.base.load(ACCOUNT, "INBOX")
        listing = (await scan.list([record]))["INBOX"]
        assert absent_names(base, listing) == {name}
        assert {entry.state for entry in await entries(bridge)} == {BaseState.SYNCED}


async def test_view_has_wishes_laid_over_the_listing(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        listing = (await scan.list([record]))["INBOX"]

        def wish(kind, **rest):
            return Operation(
                id=new_message_id(),
                account=ACCOUNT,
                message_id=new_message_id(),
                kind=kind,
                state=OperationState.PENDING,
                created_at=1.0,
                **rest,
            )

        gone = wish(OperationKind.DELETE)
        seen = wish(OperationKind.FLAGS, add=frozenset({SEEN}), remove=frozenset({FLAGGED}))
        view = view_of("INBOX", listing, missing=["x"], operations=[gone, seen], ignored=["y"])
        assert view.deleted_by_name == {gone.message_id}
        assert view.wished == {seen.message_id: ({SEEN}, {FLAGGED})}
        assert (view.missing, view.ignored) == ({"x"}, {"y"})
        assert view.entries == listing.entries


async def test_listing_is_as_agreed_only_with_just_the_files_and_flags_of_base(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        base = await bridge.store.base.load(ACCOUNT, record.name)

        async def listing():
            return (await scan.list([record]))[record.name]

        assert is_as_agreed(base, await listing())
        path = next(iter((await bridge.files()).values()))
        flagged = path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,F")
        assert not is_as_agreed(base, await listing())
        flagged.rename(path)
        assert is_as_agreed(base, await listing())
        put(bridge, "9.me", letter(9))
        assert not is_as_agreed(base, await listing())


async def test_message_whose_file_lies_aside_is_neither_absent_nor_amiss(stage):
    async with stage.bridge() as bridge:
        scan, record = await scanner(bridge, stage)
        base = await bridge.store.base.load(ACCOUNT, record.name)
        aside = replace(base, entries=tuple(replace(entry, state=BaseState.ASIDE) for entry in base.entries))
        assert not is_as_agreed(aside, (await scan.list([record]))[record.name]), "they are back"
        for path in (await bridge.files()).values():
            path.unlink()
        listing = (await scan.list([record]))[record.name]
        assert is_as_agreed(aside, listing)
        assert not absent_names(aside, listing)
