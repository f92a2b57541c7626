"""Whole comparisons: once a day where marks tell of changes, in turn where they do not."""

import itertools
from dataclasses import replace

import pytest

from daemon.model.clock import SystemClock
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.ids import INBOX, AccountId, MailboxName, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.store.store import Store
from daemon.sync.comparisons import BURST_OCTETS, OCTETS_PER_HOUR, OCTETS_PER_MESSAGE, Allowance, Comparisons
from tests.sync.stage import LeapingClock, agree, letter, messages, open_stage
from tests.sync.test_open_uploads import uncertain_upload

WORK = AccountId("work")
DAY = 24 * 3600
LARGE = 100_000


class SetClock(SystemClock):
    """Goes by hand."""

    at = 1_700_000_000.0

    def now(self) -> float:
        return self.at


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
async def store(tmp_path, clock):
    store = await Store.open(tmp_path / "store", clock=clock)
    yield store
    await store.close()


class Account:
    """Mailboxes by name, with as many messages each, and what is chosen for a pass over them."""

    def __init__(self, store, clock, mod_seq=None, **counts) -> None:
        self.store, self.clock = store, clock
        self.records = {name: self._record(name, mod_seq, count) for name, count in counts.items()}
        self.listed = {name: self._listed(record) for name, record in self.records.items()}
        self.restart()

    def restart(self) -> None:
        self.comparisons = Comparisons(account=WORK, store=self.store, clock=self.clock)

    async def choose(self, *, has_condstore=False) -> set[str]:
        await self.store.mailboxes.save(*self.records.values())
        self.comparisons.begin()
        await self.comparisons.choose(self.records, self.listed, has_condstore=has_condstore)
        return {name for name in self.records if self.comparisons.is_whole(name)}

    async def compare(self, **options) -> set[str]:
        """A pass that makes all equal."""
        chosen = await self.choose(**options)
        await self.comparisons.complete(self.records.keys())
        return chosen

    @staticmethod
    def _record(name, mod_seq, count) -> MailboxRecord:
        return MailboxRecord(
            account=WORK,
            name=MailboxName(name),
            wire_name=name.encode(),
            delimiter="/",
            directory=f".{name}",
            uid_validity=UidValidity(1),
            uid_next=Uid(count + 1),
            highest_mod_seq=None if mod_seq is None else ModSeq(mod_seq),
            message_count=count,
            is_first_pass_done=True,
        )

    @staticmethod
    def _listed(record) -> RemoteMailbox:
        return RemoteMailbox(
            name=record.name,
            wire_name=record.wire_name,
            delimiter="/",
            uid_validity=record.uid_validity,
            uid_next=record.uid_next,
            highest_mod_seq=record.highest_mod_seq,
            message_count=record.message_count,
            unseen_count=0,
        )


# -- without mod-sequences ---------------------------------------------------------------------------------------


async def test_small_mailboxes_are_compared_in_every_pass(store, clock):
    account = Account(store, clock, INBOX=200, Lists=300)
    for _ in range(60):
        assert await account.compare() == {"INBOX", "Lists"}
        clock.at += 60


async def test_large_mailboxes_are_compared_at_the_start_and_then_in_turn(store, clock):
    account = Account(store, clock, INBOX=10, A=LARGE, B=LARGE)
    assert await account.compare() == {"INBOX", "A", "B"}
    found = []
    for _ in range(3 * 60):
        clock.at += 60
        found += sorted(await account.compare() - {"INBOX"})
    assert found[:4] == ["A", "B", "A", "B"]
    octets = len(found) * LARGE * OCTETS_PER_MESSAGE
    assert octets <= 3 * OCTETS_PER_HOUR + BURST_OCTETS


async def test_large_inbox_holds_up_no_other_mailbox(store, clock):
    account = Account(store, clock, INBOX=5 * LARGE, Lists=100)
    await account.compare()
    for _ in range(10):
        clock.at += 60
        assert await account.compare() == {"Lists"}


async def test_mailbox_where_something_happens_has_the_shorter_turn(store, clock):
    account = Account(store, clock, A=LARGE, **{f"B{number}": LARGE for number in range(20)})
    await account.compare()
    account.listed["A"] = replace(account.listed["A"], uid_next=Uid(LARGE + 2))
    found = []
    for _ in range(2 * 60):
        clock.at += 60
        found += await account.compare()
        account.listed["A"] = account._listed(account.records["A"])
    assert found.count("A") >= 2
    assert all(found.count(f"B{number}") <= 1 for number in range(20))


async def test_request_of_a_person_compares_them_all(store, clock):
    account = Account(store, clock, INBOX=LARGE, Lists=LARGE)
    await account.compare()
    assert not await account.compare()
    account.comparisons.forget()
    assert await account.compare() == {"INBOX", "Lists"}
    assert not await account.compare()


async def test_comparison_that_was_not_carried_out_is_the_next(store, clock):
    account = Account(store, clock, INBOX=1, A=LARGE, B=LARGE)
    assert "B" in await account.choose()
    await account.comparisons.complete({"INBOX", "A"})
    clock.at += 3600
    chosen = await account.compare()
    assert "B" in chosen
    assert "A" not in chosen


async def test_other_number_of_unseen_messages_is_followed_once(store, clock):
    account = Account(store, clock, INBOX=LARGE)
    await account.compare()
    account.listed["INBOX"] = replace(account.listed["INBOX"], unseen_count=3)
    for followed in (True, False, False):
        await account.compare()
        assert account.comparisons.is_unseen_other(INBOX) is followed
    account.listed["INBOX"] = replace(account.listed["INBOX"], unseen_count=4)
    await account.choose()
    assert account.comparisons.is_unseen_other(INBOX)
    await account.choose()
    assert account.comparisons.is_unseen_other(INBOX), "the pass did not end well"


async def test_pass_over_some_mailboxes_chooses_nothing(store, clock):
    account = Account(store, clock, INBOX=1)
    account.listed = {}
    assert not await account.choose()


def test_allowance_is_overdrawn_by_one_and_comes_back_with_time():
    allowance = Allowance(0.0)
    costs = [("A", BURST_OCTETS + OCTETS_PER_HOUR), ("B", 1)]
    assert allowance.pick(costs, 0.0) == ["A"]
    assert allowance.pick([("B", 1)], 3599.0) == []
    assert allowance.pick([("B", 1)], 3601.0) == ["B"]
    assert allowance.pick([("B", BURST_OCTETS), ("C", 1)], 10.0**9) == ["B"], (
        "no more gathers than for ten minutes"
    )
    assert allowance.pick([("B", 1)], 0.0) == [], "a clock that is set back gives nothing"


def test_what_is_read_on_request_leaves_no_more_than_an_hours_debt():
    allowance = Allowance(0.0)
    for at in range(288):
        allowance.pick([], 300.0 * at)
        allowance.spend(30_000_000)
    assert allowance.pick([("A", 30_000_000)], 300.0 * 287 + 3600.0) == []
    assert allowance.pick([("A", 30_000_000)], 300.0 * 287 + 3601.0) == ["A"]
    allowance.spend(30_000_000)
    assert allowance.pick([("A", 1)], 300.0 * 287 + 2 * 3600.0) == [], "and forgives nothing that was owed"


async def test_pass_that_failed_leaves_the_first_comparison_to_the_next(store, clock):
    account = Account(store, clock, INBOX=LARGE, A=LARGE, B=LARGE)
    for _ in range(2):
        assert await account.choose() == {"INBOX", "A", "B"}
    assert await account.compare() == {"INBOX", "A", "B"}
    assert not await account.compare()


async def test_mailbox_that_is_never_completed_is_not_read_in_every_pass(store, clock):
    account = Account(store, clock, INBOX=LARGE, A=LARGE)
    found = []
    for _ in range(60):
        found += sorted(await account.choose() - {"INBOX"})
        await account.comparisons.complete({"INBOX"})
        clock.at += 60
    assert 1 <= len(found) <= 3


async def test_request_that_comes_during_a_pass_is_for_the_next(store, clock):
    account = Account(store, clock, INBOX=LARGE)
    await account.choose()
    account.comparisons.forget()
    await account.comparisons.complete({"INBOX"})
    assert await account.compare() == {"INBOX"}


# -- with mod-sequences ------------------------------------------------------------------------------------------


async def test_mailbox_with_mod_sequences_is_compared_once_a_day_also_over_restarts(store, clock):
    account = Account(store, clock, mod_seq=7, INBOX=10, Lists=10)
    times = []
    for _ in range(5 * 24):
        account.restart()
        times += [(name, clock.at) for name in await account.compare(has_condstore=True)]
        clock.at += 3600
    for name in ("INBOX", "Lists"):
        found = [at for one, at in times if one == name]
        assert len(found) in {4, 5}
        assert {later - at for at, later in itertools.pairwise(found)} == {DAY}


async def test_mailboxes_have_times_of_day_of_their_own(store, clock):
    names = [f"M{number}" for number in range(48)]
    account = Account(store, clock, mod_seq=7, **dict.fromkeys(names, 10))
    await account.compare(has_condstore=True)
    most = 0
    for _ in range(24):
        clock.at += 3600
        most = max(most, len(await account.compare(has_condstore=True)))
    assert most < 12


async def test_daily_comparisons_of_large_mailboxes_are_spread_after_days_without_any(store, clock):
    account = Account(store, clock, mod_seq=7, A=LARGE, B=LARGE, C=LARGE)
    await account.compare(has_condstore=True)
    clock.at += 3 * DAY
    account.restart()
    assert len(await account.compare(has_condstore=True)) == 1
    found = set()
    for _ in range(120):
        clock.at += 60
        found |= await account.compare(has_condstore=True)
    assert len(found) >= 2


async def test_time_of_the_last_comparison_that_is_to_come_is_not_believed(store, clock):
    account = Account(store, clock, mod_seq=7, INBOX=10)
    await account.compare(has_condstore=True)
    clock.at -= 10
    assert await account.compare(has_condstore=True) == {"INBOX"}


async def test_times_of_mailboxes_that_are_gone_are_forgotten(store, clock):
    account = Account(store, clock, mod_seq=7, INBOX=10, Lists=10)
    await account.compare(has_condstore=True)
    await store.mailboxes.remove(WORK, MailboxName("Lists"))
    del account.records["Lists"]
    clock.at += DAY
    await account.compare(has_condstore=True)
    assert "Lists" not in await store.facts.get(WORK, "compared_at")


# -- on a server -------------------------------------------------------------------------------------------------


def without_numbers(stage) -> None:
    """The server knows CONDSTORE and QRESYNC, and this mailbox has no mod-sequences."""
    stage.line.replace(rb"\[HIGHESTMODSEQ \d+\]", b"[NOMODSEQ]")
    stage.line.replace(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ 0")


@pytest.mark.parametrize("without", [(), ("CONDSTORE",), ("CONDSTORE", "ESEARCH", "UNSELECT", "LIST-STATUS")])
async def test_flags_changed_where_there_are_no_mod_sequences_come_down(tmp_path, without):
    """S9: no number equals no number, and the mailbox would never be looked at."""
    async with open_stage(tmp_path, without=without) as stage:
        if not without:
            without_numbers(stage)
        async with stage.bridge() as bridge:
            stage.deliver(letter(1), letter(2))
            await bridge.sync()
            for flags in ({FLAGGED}, {FLAGGED, SEEN}, {SEEN}):
                stage.box().set_flags(1, frozenset(flags))
                assert (await bridge.sync()).flags_changed == 1
            await agree(bridge, stage)


@pytest.mark.parametrize("without", [(), ("CONDSTORE",)])
async def test_seen_and_arrivals_in_a_large_mailbox_without_mod_sequences_come_at_once_and_cheaply(
    tmp_path, without
):
    async with open_stage(tmp_path, without=without) as stage:
        if not without:
            without_numbers(stage)
        async with stage.bridge() as bridge:
            stage.deliver(*(letter(number) for number in range(50)))
            await bridge.sync()
            for allowance in (bridge.engine._look.comparisons._busy, bridge.engine._look.comparisons._others):
                allowance.spend(10 * BURST_OCTETS)
            await bridge.sync()
            sent = len(stage.line.commands)
            stage.box().set_flags(7, frozenset({SEEN}))
            assert (await bridge.sync()).flags_changed == 1
            stage.deliver(letter(77))
            assert (await bridge.sync()).downloaded == 1
            stage.box().expunge([8])
            assert (await bridge.sync()).removed_here == 1
            asked = [one for one in stage.line.commands[sent:] if one.startswith(b"UID FETCH 1:")]
            assert not [one for one in asked if b"FLAGS" in one], "nobody reads all flags"
            stage.box().set_flags(9, frozenset({FLAGGED}))
            await bridge.sync()
            bridge.engine.note_local_change()
            assert (await bridge.sync()).flags_changed == 1, "a person asked"
            await agree(bridge, stage)


async def test_quiet_mailbox_without_mod_sequences_is_not_even_selected_when_it_is_not_its_turn(tmp_path):
    async with open_stage(tmp_path, without=["CONDSTORE"]) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="Lists")
        stage.deliver(letter(2))
        await bridge.sync()
        for allowance in (bridge.engine._look.comparisons._busy, bridge.engine._look.comparisons._others):
            allowance.spend(10 * BURST_OCTETS)
        await bridge.sync()
        sent = len(stage.line.commands)
        assert (await bridge.run_pass()).is_quiet
        assert not [one for one in stage.line.commands[sent:] if one.startswith((b"SELECT", b"UID"))]


async def test_change_that_no_mark_tells_of_is_found_within_a_day(stage):
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        box = stage.box()
        box.messages[1] = replace(box.messages[1], flags=frozenset({FLAGGED}))
        assert (await bridge.sync()).is_quiet
        clock.ahead = DAY
        assert (await bridge.sync()).flags_changed == 1
        assert [one.flags for one in await messages(bridge) if one.flags] == [{FLAGGED}]


async def test_pass_that_looks_again_compares_what_it_had_chosen_and_pays_for_it_once(tmp_path, clock):
    async with (
        open_stage(tmp_path, without=("UIDPLUS", "CONDSTORE")) as stage,
        stage.bridge(clock=clock) as bridge,
    ):
        await uncertain_upload(bridge, stage)
        bridge.engine._look.comparisons._busy._octets = 1.0
        stage.box().set_flags(1, frozenset({FLAGGED}))
        stage.deliver(letter(2))
        assert (await bridge.run_pass()).flags_changed == 1
