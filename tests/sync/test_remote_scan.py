"""The remote view by whatever the server offers: the same facts by every way."""

import pytest

from daemon.model.errors import UidValidityChanged
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.uidset import UidSet
from daemon.sync.remote_scan import scan_mailbox
from tests.support.bridge import ACCOUNT
from tests.sync.stage import agree, letter, open_stage

WAYS = [
    (),
    ("QRESYNC",),
    ("QRESYNC", "CONDSTORE"),
    ("QRESYNC", "CONDSTORE", "ESEARCH", "UNSELECT", "LIST-STATUS"),
]
IDS = ["qresync", "condstore", "flags", "bare"]


@pytest.fixture(params=WAYS, ids=IDS)
async def any_stage(request, tmp_path):
    async with open_stage(tmp_path, without=request.param) as one:
        yield one


async def scan(bridge, **wishes):
    client = await bridge.connect()
    await client.unselect()
    record = await bridge.store.mailboxes.get(ACCOUNT, "INBOX")
    return await scan_mailbox(client, record, await bridge.store.base.load(ACCOUNT, "INBOX"), **wishes)


def is_gone(view, uid):
    return uid in view.vanished or (view.present is not None and uid not in view.present)


async def test_arrivals_expunges_and_flags_are_seen(any_stage):
    stage = any_stage
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(5)))
        await bridge.sync()
        await bridge.disconnect()
        stage.box().expunge([2])
        stage.box().set_flags(3, frozenset({FLAGGED}))
        stage.deliver(letter(9))
        has_mod_seqs = (await bridge.connect()).has_condstore
        view = await scan(bridge, is_whole=not has_mod_seqs)  # no mark tells of a flag
        assert is_gone(view, 2)
        assert not is_gone(view, 1)
        assert view.changed[3].flags == {FLAGGED}
        assert view.changed[6].size == len(letter(9))
        assert view.changed[6].internal_date is not None
        assert (view.uid_next, view.message_count) == (7, 5)


async def test_expunge_and_arrival_that_leave_the_count_the_same_are_both_seen(any_stage):
    """CONDSTORE tells no expunge; the count alone would not either."""
    stage = any_stage
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        await bridge.disconnect()
        stage.box().expunge([1])
        stage.deliver(letter(3))
        result = await bridge.sync()
        assert (result.downloaded, result.removed_here) == (1, 1)
        await agree(bridge, stage)


async def test_changes_while_the_mailbox_stays_selected_are_seen(any_stage):
    stage = any_stage
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2), letter(3))
        await bridge.sync()
        client = await bridge.connect()
        await client.select(b"INBOX")
        stage.box().expunge([1])
        stage.box().set_flags(2, frozenset({SEEN}))
        stage.deliver(letter(4))
        await client.noop()
        await bridge.run_pass(only={"INBOX"})
        await bridge.sync()
        await agree(bridge, stage)


@pytest.mark.parametrize("without", [("UNSELECT",), ("UNSELECT", "QRESYNC"), WAYS[3]])
async def test_mail_that_came_while_the_mailbox_could_not_be_left_is_seen_by_the_next_pass(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        client = await bridge.connect()
        await client.select(b"INBOX")
        stage.deliver(letter(2))
        assert (await bridge.run_pass()).downloaded == 1
        stage.deliver(letter(3))
        assert (await bridge.run_pass(only={"INBOX"})).downloaded == 1
        await agree(bridge, stage)


async def test_marks_are_those_of_the_start(stage):
    """Sync.md 5: what comes during the scan must be seen by the next one."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        await bridge.disconnect()
        stage.box().set_flags(1, frozenset({SEEN}))
        before = stage.box().highest_mod_seq
        stage.line.before_command = lambda command: (
            stage.box().set_flags(1, frozenset({SEEN, FLAGGED}))
            if command.startswith((b"UID FETCH", b"UID STORE"))
            else None
        )
        view = await scan(bridge)
        assert view.highest_mod_seq == before
        await bridge.sync()
        stage.line.before_command = None
        await bridge.sync()
        await agree(bridge, stage)


async def test_other_validity_ends_the_scan(any_stage):
    stage = any_stage
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        await bridge.disconnect()
        stage.box().reset(4711)
        with pytest.raises(UidValidityChanged):
            await scan(bridge)


async def test_short_listing_proves_nothing(tmp_path):
    """S11, S12: fewer messages than EXISTS says; a gap is then no deletion."""
    async with open_stage(tmp_path, without=("QRESYNC", "CONDSTORE")) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2), letter(3))
        await bridge.sync()
        stage.line.replace(rb"\* 2 FETCH \(UID 2 FLAGS[^\r]*\r\n", b"")
        result = await bridge.sync()
        assert result.removed_here == 0
        assert len(await bridge.files()) == 3


@pytest.mark.parametrize("without", [WAYS[2], WAYS[3]])
async def test_without_mod_sequences_news_cost_no_look_at_what_is_known(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(5)))
        await bridge.sync()
        stage.box().set_flags(3, frozenset({FLAGGED}))
        stage.deliver(letter(9), letter(10))
        view = await scan(bridge)
        assert set(view.changed) == {6, 7}
        assert view.changed[6].size == len(letter(9))
        assert view.present is None
        assert (view.uid_next, view.message_count, view.highest_mod_seq) == (8, 7, None)
        stage.box().expunge([2, 6])
        view = await scan(bridge)
        assert set(view.changed) == {7}
        assert set(view.present) == {1, 3, 4, 5, 7}


@pytest.mark.parametrize("without", [WAYS[2], WAYS[3]])
async def test_other_number_of_unseen_messages_asks_for_the_flags_of_those_alone(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(5)))
        stage.deliver(letter(6), letter(7), flags=[SEEN])
        await bridge.sync()
        stage.box().set_flags(3, frozenset({SEEN, FLAGGED}))
        stage.box().set_flags(4, frozenset({SEEN}))
        stage.box().set_flags(6, frozenset())
        view = await scan(bridge, is_unseen_other=True)
        assert {uid: entry.flags for uid, entry in view.changed.items()} == {
            3: {SEEN, FLAGGED},
            4: {SEEN},
            6: frozenset(),
        }


async def test_refused_search_for_unseen_messages_asks_for_more_flags_and_not_for_fewer(tmp_path):
    async with open_stage(tmp_path, without=WAYS[3]) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        stage.line.refuse(rb"UID SEARCH")
        stage.box().set_flags(2, frozenset({SEEN}))
        view = await scan(bridge, is_unseen_other=True)
        assert view.changed[2].flags == {SEEN}


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("without", [WAYS[2], WAYS[3]])
async def test_flag_told_of_the_selected_mailbox_is_in_the_next_view(tmp_path, without, is_named):
    """No mod-sequence tells of it again. With a UID that message is asked for, else all are."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        client = await bridge.connect()
        await client.select(b"INBOX")
        stage.box().set_flags(2, frozenset({FLAGGED}))
        if is_named:
            stage.line.replace(rb"\* 2 FETCH \(FLAGS", b"* 2 FETCH (UID 2 FLAGS")
        await client.noop()
        stage.line.replacements.clear()
        assert (await bridge.run_pass(only={"INBOX"})).flags_changed == 1
        await agree(bridge, stage)


async def test_mark_that_the_server_does_not_offer_any_more_leads_to_a_whole_scan_without_one(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        stage.box().set_flags(1, frozenset({FLAGGED}))
        (await bridge.connect()).distrust("CONDSTORE", "QRESYNC")
        view = await scan(bridge)
        assert view.changed[1].flags == {FLAGGED}
        assert view.highest_mod_seq is None


async def test_flag_told_before_our_own_change_does_not_undo_it(tmp_path):
    async with open_stage(tmp_path, without=WAYS[2]) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        client = await bridge.connect()
        await client.select(b"INBOX")
        stage.box().set_flags(1, frozenset({FLAGGED}))
        stage.line.replace(rb"\* 1 FETCH \(FLAGS", b"* 1 FETCH (UID 1 FLAGS")
        await client.noop()
        stage.line.replacements.clear()
        await client.store_flags(UidSet([1]), add=frozenset({SEEN}))
        view = await scan_mailbox(
            client,
            await bridge.store.mailboxes.get(ACCOUNT, "INBOX"),
            await bridge.store.base.load(ACCOUNT, "INBOX"),
        )
        assert view.changed[1].flags == {FLAGGED, SEEN}
