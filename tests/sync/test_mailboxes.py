"""Which mailboxes are kept, and what a listing that cannot be believed does: nothing."""

import pytest

from daemon.model.errors import ServerRefused
from daemon.model.events import EventName
from daemon.model.mailbox import RemoteMailbox, SpecialUse
from daemon.sync.mailboxes import MailboxPatterns
from tests.sync.stage import agree, events, letter


def mailbox(name, use=None):
    return RemoteMailbox(name=name, wire_name=name.encode(), delimiter="/", special_use=use)


@pytest.mark.parametrize(
    ("include", "exclude", "kept", "left"),
    [
        (["*"], [], ["INBOX", "a/b/c"], []),
        (["%"], [], ["INBOX", "a"], ["a/b"]),
        (["a/*"], ["a/b*"], ["a/c"], ["a", "a/b", "a/b/c", "INBOX"]),
        (["inbox"], [], ["INBOX"], ["inbox2", "a"]),
        (["a.c"], [], ["a.c"], ["abc"]),
        (["*"], ["%/%"], ["a"], ["a/b"]),
    ],
)
def test_patterns_are_those_of_list(include, exclude, kept, left):
    patterns = MailboxPatterns(include, exclude)
    assert [name for name in (*kept, *left) if patterns.keeps(mailbox(name))] == kept


@pytest.mark.parametrize("use", [SpecialUse.ALL, SpecialUse.FLAGGED, SpecialUse.IMPORTANT])
def test_views_over_other_mailboxes_are_kept_only_when_named(use):
    assert not MailboxPatterns(["*"], []).keeps(mailbox("All Mail", use))
    assert MailboxPatterns(["*", "All Mail"], []).keeps(mailbox("All Mail", use))
    assert MailboxPatterns(["*"], []).keeps(mailbox("Bin", SpecialUse.TRASH))


async def test_new_mailbox_gets_a_record_a_directory_and_an_event(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(letter(1), mailbox="Lists/python")
        await bridge.sync()
        await agree(bridge, stage, "Lists/python")
        assert {event.mailbox for event in await events(bridge, EventName.MAILBOX_CREATED)} == {
            "Lists", "Lists/python"
        }  # fmt: skip


async def test_first_listing_creates_without_an_event(stage):
    stage.user.create("Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert not await events(bridge, EventName.MAILBOX_CREATED)


@pytest.mark.parametrize("pattern", [rb"\* LIST [^\r]*\r\n", rb"\* LIST [^\r]*INBOX\"?\r\n"])
async def test_listing_without_inbox_is_not_believed(stage, pattern):
    """S10: nothing is deleted, nothing is frozen; the pass is tried again later."""
    stage.deliver(letter(1))
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.line.replace(pattern, b"")
        with pytest.raises(ServerRefused) as caught:
            await bridge.run_pass()
        assert caught.value.reason == "listing_doubtful"
        assert len(await bridge.files()) == 1


async def test_role_follows_the_server(stage):
    """Sync.md 20: what a deletion does depends on it."""
    stage.user.create("Bin")
    async with stage.bridge() as bridge:
        await bridge.sync()
        for role in (SpecialUse.TRASH, None):
            stage.box("Bin").special_use = role
            await bridge.run_pass()
            assert (await bridge.store.mailboxes.get(bridge.settings.id, "Bin")).special_use is role


async def test_mailbox_that_vanishes_during_the_pass_fails_by_itself(stage):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(letter(2), mailbox="Archive")
        stage.deliver(letter(3))
        stage.line.refuse(rb'SELECT "?Archive', b"NO [NONEXISTENT] gone")
        result = await bridge.run_pass()
        assert (result.downloaded, result.failed, result.removed_here) == (1, 1, 0)
        assert len(await bridge.files("Archive")) == 1


async def test_excluded_mailbox_is_frozen_and_goes_on_where_it_was(stage):
    """Sync.md 11."""
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
    async with stage.bridge(exclude=("Archive",)) as bridge:
        stage.deliver(letter(2), mailbox="Archive")
        next(iter((await bridge.files("Archive")).values())).unlink()
        result = await bridge.sync()
        assert (result.downloaded, result.expunged_there) == (0, 0)
        assert (await bridge.run_pass(only={"Archive"})).is_quiet, "not even when asked for"
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.downloaded, result.expunged_there) == (1, 1)
        await agree(bridge, stage, "Archive")


async def test_mailbox_without_messages_and_without_selectability_costs_nothing(stage):
    stage.user.create("Empty")
    stage.line.replace(rb"\* LIST \(([^)]*)\) (\S+) \"?Empty\"?\r\n", rb"* LIST (\\Noselect) \2 Empty\r\n")
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).failed == 0
        assert await bridge.store.mailboxes.get(bridge.settings.id, "Empty") is None


async def test_left_out_are_excluded_names_views_and_what_is_reserved(stage):
    r"""A \Noselect parent is not: a directory made for it becomes a mailbox."""
    stage.user.create("All Mail", special_use=SpecialUse.ALL)
    stage.user.create("Lists/python")
    async with stage.bridge(exclude=("Private",)) as bridge:
        await bridge.sync()
        book = bridge.engine._book
        names = ("Private", "All Mail", "Inbox", "Lists", "Lists/python", "Fresh")
        assert [name for name in names if book.is_left_out(name)] == ["Private", "All Mail", "Inbox"]
