"""Subscriptions both ways: the server's, and the lines that Dovecot reads in the tree."""

import pytest

from daemon.sync.subscriptions import merge
from tests.sync.stage import letter, open_stage

HEADER = "V\t2\n\n"
A, B, C = "A", "B", "C"


@pytest.mark.parametrize(
    ("base", "here", "there", "subscribe", "unsubscribe", "add_line", "remove_line"),
    [
        ("", None, "AB", "", "", "AB", ""),
        ("", "A", "B", "A", "", "B", ""),
        ("AB", "AB", "AB", "", "", "", ""),
        ("AB", "A", "AB", "", "B", "", ""),
        ("AB", "ABC", "AB", "C", "", "", ""),
        ("AB", "AB", "A", "", "", "", "B"),
        ("A", "A", "AB", "", "", "B", ""),
        ("AB", None, "AB", "", "", "AB", ""),
        ("AB", "A", "A", "", "", "", ""),
        ("AZ", "AZ", "A", "", "", "", ""),
    ],
)
def test_the_side_that_changed_wins(base, here, there, subscribe, unsubscribe, add_line, remove_line):
    found = merge({A, B, C}, base=set(base), here=None if here is None else set(here), there=set(there))
    assert (found.subscribe, found.unsubscribe) == (set(subscribe), set(unsubscribe))
    assert (found.add_line, found.remove_line) == (set(add_line), set(remove_line))
    assert "Z" not in base or "Z" in found.agreed, "what is not kept stays as it was agreed"


def lines(bridge):
    text = (bridge.tree.root / "subscriptions").read_text()
    assert text.startswith(HEADER)
    return sorted(text.removeprefix(HEADER).splitlines())


@pytest.mark.parametrize("without", [(), ("LIST-EXTENDED", "LIST-STATUS")], ids=["extended", "lsub"])
async def test_both_sides_follow_each_other(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        for name in ("A", "A/B", "C"):
            stage.deliver(letter(1), mailbox=name)
        stage.box("C").is_subscribed = False
        await bridge.sync()
        assert lines(bridge) == ["A", "A\tB", "INBOX"]
        path = bridge.tree.root / "subscriptions"
        path.write_text(f"{HEADER}INBOX\nC\nA\tB\nelsewhere\n")
        await bridge.run_pass()
        assert {name: stage.box(name).is_subscribed for name in ("A", "A/B", "C")} == {
            "A": False, "A/B": True, "C": True,
        }  # fmt: skip
        stage.box("A/B").is_subscribed = False
        stage.box("A").is_subscribed = True
        await bridge.run_pass()
        assert lines(bridge) == ["A", "C", "INBOX", "elsewhere"]
        sent = len(stage.line.commands)
        await bridge.run_pass()
        assert not any(b"SUBSCRIBE " in command for command in stage.line.commands[sent:])


async def test_lost_file_ends_no_subscription(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        await bridge.sync()
        (bridge.tree.root / "subscriptions").unlink()
        await bridge.run_pass()
        assert stage.box("A").is_subscribed
        assert lines(bridge) == ["A", "INBOX"]


async def test_excluded_mailbox_is_not_touched(stage):
    stage.user.create("Attic")
    async with stage.bridge(exclude=("Attic",)) as bridge:
        await bridge.sync()
        assert lines(bridge) == ["INBOX"]
        assert stage.box("Attic").is_subscribed


async def test_line_and_subscription_follow_a_rename_here(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        await bridge.sync()
        (bridge.tree.root / ".A").rename(bridge.tree.root / ".Z")
        await bridge.sync()
        assert stage.box("Z").is_subscribed
        assert lines(bridge) == ["INBOX", "Z"]


async def test_line_of_a_removed_mailbox_goes(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        await bridge.sync()
        stage.user.delete("A")
        await bridge.sync()
        assert lines(bridge) == ["INBOX"]


async def test_refused_subscription_is_tried_again_and_stops_nothing(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        stage.box("A").is_subscribed = False
        await bridge.sync()
        (bridge.tree.root / "subscriptions").write_text(f"{HEADER}INBOX\nA\n")
        rule = stage.line.refuse(rb"SUBSCRIBE", b"NO not now")
        stage.deliver(letter(2))
        assert (await bridge.run_pass()).downloaded == 1
        stage.line.rules.remove(rule)
        await bridge.run_pass()
        assert stage.box("A").is_subscribed
        assert lines(bridge) == ["A", "INBOX"]


async def test_locked_file_is_written_in_a_later_pass_and_ends_nothing(stage, monkeypatch):
    monkeypatch.setattr("daemon.store.maildir.subscriptions.LOCK_DEADLINE_SECONDS", 0.05)
    async with stage.bridge() as bridge:
        await bridge.sync()
        lock = bridge.tree.root / "subscriptions.lock"
        lock.touch()
        stage.deliver(letter(1), mailbox="A")
        await bridge.run_pass()
        await bridge.run_pass()
        assert stage.box("A").is_subscribed
        assert lines(bridge) == ["INBOX"]
        lock.unlink()
        await bridge.run_pass()
        assert lines(bridge) == ["A", "INBOX"]
