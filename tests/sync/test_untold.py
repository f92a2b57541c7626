"""What the server should have told and did not, and what only came while we looked."""

from dataclasses import replace

import pytest
import structlog

from daemon.model.flags import FLAGGED, SEEN, Flag
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.model.views import BaseEntry, BaseState, BaseView, RemoteEntry, RemoteView
from daemon.sync.untold import Untold, changed_below
from tests.sync.stage import LeapingClock, agree, entries, letter, open_stage
from tests.sync.test_out_of_sight import hide

DAY = 24 * 3600
RECORD = MailboxRecord(
    account=AccountId("work"),
    name=MailboxName("INBOX"),
    wire_name=b"INBOX",
    delimiter="/",
    directory=".",
    highest_mod_seq=ModSeq(50),
)


def base_of(flags, state=BaseState.SYNCED) -> BaseView:
    entry = BaseEntry(
        message_id=MessageId("1"),
        uid=Uid(1),
        maildir_name=MaildirName("1.me"),
        flags=frozenset(flags),
        state=state,
    )
    return BaseView(
        mailbox=RECORD.name,
        uid_validity=UidValidity(1),
        uid_next=Uid(2),
        highest_mod_seq=ModSeq(50),
        entries=(entry,),
    )


def view_of(flags, mod_seq) -> RemoteView:
    entry = RemoteEntry(uid=Uid(1), flags=frozenset(flags), mod_seq=mod_seq)
    return RemoteView(
        mailbox=RECORD.name,
        uid_validity=UidValidity(1),
        uid_next=Uid(2),
        highest_mod_seq=ModSeq(60),
        message_count=1,
        changed={Uid(1): entry},
    )


@pytest.mark.parametrize(
    ("here", "there", "mod_seq", "is_untold"),
    [
        ({SEEN}, {SEEN}, 40, False),
        ({SEEN}, set(), 40, True),
        (set(), {FLAGGED}, 50, True),
        (set(), {FLAGGED}, None, True),
        (set(), {FLAGGED}, 51, False),
        ({Flag("work")}, set(), 40, False),
    ],
)
def test_flags_are_untold_when_the_message_has_not_changed_since_the_mark(here, there, mod_seq, is_untold):
    assert bool(changed_below(RECORD, base_of(here), view_of(there, mod_seq))) is is_untold


def test_message_that_is_not_in_step_proves_nothing():
    assert not changed_below(RECORD, base_of({SEEN}, BaseState.FAILED), view_of(set(), 40))


def test_nothing_untold_disproves_nothing():
    assert Untold().false_claims == ()


async def distrusted_after(bridge, stage):
    with structlog.testing.capture_logs() as lines:
        await bridge.sync()
    await agree(bridge, stage)
    told = [line for line in lines if line["event"] == "mailbox.changes_untold"]
    return bridge.client.distrusted, told


async def test_flag_kept_back_by_condstore_costs_it_our_trust(stage):
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        box = stage.box()
        box.messages[1] = replace(box.messages[1], flags=frozenset({FLAGGED}))
        clock.ahead = DAY
        distrusted, [told] = await distrusted_after(bridge, stage)
        assert distrusted == {"CONDSTORE", "QRESYNC"}
        assert (told["mailbox"], told["flags"], told["gone"]) == ("INBOX", 1, 0)
        stage.box().set_flags(2, frozenset({SEEN}))
        assert (await bridge.sync()).flags_changed == 1


async def test_expunge_kept_back_by_qresync_is_found_by_the_count_and_costs_it_our_trust(stage):
    """S9: VANISHED missing."""
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(5)))
        await bridge.sync()
        stage.line.replace(rb"\* VANISHED [^\r]*\r\n", b"")
        stage.box().expunge([2])
        distrusted, [told] = await distrusted_after(bridge, stage)
        assert distrusted == {"QRESYNC"}
        assert (told["flags"], told["gone"]) == (0, 1)


@pytest.mark.parametrize("without", [(), ("QRESYNC",)])
async def test_changes_that_are_told_or_come_while_we_look_cost_no_trust(tmp_path, without):
    clock = LeapingClock()
    async with open_stage(tmp_path, without=without) as stage, stage.bridge(clock=clock) as bridge:
        stage.deliver(*(letter(number) for number in range(5)))
        await bridge.sync()
        clock.ahead = DAY
        stage.box().set_flags(1, frozenset({SEEN}))
        stage.box().expunge([2])

        def meanwhile(command: bytes) -> None:
            if command.startswith(b"UID FETCH"):
                stage.line.before_command = None
                stage.box().set_flags(3, frozenset({SEEN}))
                stage.box().expunge([4])

        stage.line.before_command = meanwhile
        distrusted, told = await distrusted_after(bridge, stage)
        assert (distrusted, told) == (frozenset(), [])


async def test_flags_of_messages_whose_files_are_away_cost_an_honest_server_no_trust(stage):
    """They were told, and nobody compared them then."""
    clock = LeapingClock()
    async with stage.bridge(exclude=("Private",), clock=clock) as bridge:
        stage.deliver(*(letter(number) for number in range(80)))
        await bridge.sync()
        files = await bridge.files()
        hidden, *held = sorted(files)[:71]
        place = hide(bridge, hidden, files[hidden])
        for name in held:
            files[name].unlink()
        assert (await bridge.sync()).held == 70
        stage.box().set_flags(1, frozenset({SEEN}))
        uids = {one.maildir_name: one.uid for one in await entries(bridge)}
        for name in (hidden, held[0]):
            stage.box().set_flags(uids[name], frozenset({FLAGGED}))
        await bridge.sync()
        place.rename(bridge.tree.root / "cur" / f"{hidden}:2,")
        await bridge.sync()
        for _ in range(2):
            clock.ahead += DAY
            await bridge.sync()
            assert bridge.client.distrusted == frozenset()
