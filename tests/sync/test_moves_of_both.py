"""Both sides move, rename, remove and flag the same messages at once: each is at most once anywhere, and nothing is lost.

One right end for each message: where the server moved it; else where it was moved here; a removal holds only against a side
that did not move it. The seed is printed; MAILSYNCD_CONFLICTS says how many rounds are lived.
"""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from daemon.model.flags import FLAGGED, SEEN
from tests.sync.stage import agree, letter, open_stage, sha

ROUNDS = int(os.environ.get("MAILSYNCD_CONFLICTS", "15"))
SEED = int(os.environ.get("MAILSYNCD_SEED", str(random.SystemRandom().randrange(1 << 30))))
MAILBOXES = {"INBOX": ".", "Archive": ".Archive", "Lists": ".Lists"}
COUNT = 7
LESS = ("QRESYNC", "CONDSTORE", "MOVE", "LIST-STATUS", "OBJECTID", "UNSELECT", "ESEARCH")


class Conflict:
    """One round of changes to the same messages on both sides, and what must come of it."""

    def __init__(self, rng: random.Random, stage, bridge) -> None:
        self.rng = rng
        self.stage = stage
        self.root = bridge.tree.root
        self.expected: dict[bytes, tuple[str | None, frozenset[str]]] = {}
        self.log: list[str] = []

    def file_of(self, octets: bytes) -> Path:
        return next(path for path in self.root.rglob("*") if path.is_file() and path.read_bytes() == octets)

    def change(self, octets: bytes, mailbox: str, uid: int) -> None:
        there, here = self.change_there(mailbox, uid), self.change_here(octets, mailbox)
        place: str | None = mailbox
        if there is not None and there != "":
            place = there
        elif here is not None and here != "":
            place = here
        elif "" in {here, there}:
            place = None
        self.expected[octets] = (place, self.flags)
        self.log.append(
            f"{octets[13:20]!r} {mailbox}: there {there!r}, here {here!r} -> {place} {self.flags}"
        )

    def change_there(self, mailbox: str, uid: int) -> str | None:
        """Where it was moved to; empty for a removal, None for nothing."""
        self.flags = frozenset[str]()
        flags = frozenset({SEEN}) if self.rng.random() < 0.3 else frozenset()
        act = self.rng.choice(["none", "move", "move", "remove"])
        self.stage.box(mailbox).set_flags(uid, flags)
        if act == "remove":
            self.stage.box(mailbox).expunge([uid])
            return ""
        self.flags = flags
        if act == "none":
            return None
        target = self.rng.choice([name for name in MAILBOXES if name != mailbox])
        self.stage.move(uid, mailbox, target)
        return target

    def change_here(self, octets: bytes, mailbox: str) -> str | None:
        path = self.file_of(octets)
        act = self.rng.choice(["none", "flag", "move", "move and rename", "rename", "remove"])
        name = path.name.partition(":")[0]
        if "rename" in act:
            name = f"{self.rng.randrange(1 << 40)}.reader"
        if act == "none":
            return None
        if act == "remove":
            path.unlink()
            return ""
        target = mailbox
        if "move" in act:
            target = self.rng.choice([other for other in MAILBOXES if other != mailbox])
        letters = "F" if self.rng.random() < 0.5 else ""
        path.rename(self.root / MAILBOXES[target] / "cur" / f"{name}:2,{letters}")
        if letters:
            self.flags |= {FLAGGED}
        return target if target != mailbox else None


async def live(seed: int, path: Path, without: tuple[str, ...]) -> None:
    rng = random.Random(seed)
    async with open_stage(path, without=without) as stage, stage.bridge(deletion_limit=1.0) as bridge:
        for name in MAILBOXES:
            stage.user.find(name) or stage.user.create(name)
        for number in range(COUNT):
            stage.deliver(letter(number, "x" * rng.randrange(3)), mailbox=rng.choice(list(MAILBOXES)))
        await bridge.sync()
        await bridge.disconnect()
        conflict = Conflict(rng, stage, bridge)
        placed = [
            (message.octets, name, message.uid)
            for name in MAILBOXES
            for message in list(stage.box(name).messages.values())
        ]
        for octets, name, uid in placed:
            conflict.change(octets, name, uid)
        try:
            if rng.random() < 0.5:
                await bridge.run_pass(only={rng.choice(list(MAILBOXES))})
            await bridge.sync()
            await settle(bridge)
            await check(conflict, bridge, stage)
        except BaseException as exc:
            exc.add_note("\n".join(conflict.log))
            raise


async def settle(bridge) -> None:
    """Approve what was held: so few messages are soon a mailbox emptied."""
    for mailbox in list(bridge.engine.held):
        await bridge.engine.approve(mailbox)
    await bridge.sync()


async def check(conflict: Conflict, bridge, stage) -> None:
    for name in MAILBOXES:
        wanted = {sha(octets): flags for octets, (place, flags) in conflict.expected.items() if place == name}
        there = {sha(one.octets): one.flags for one in stage.box(name).messages.values()}
        assert Counter(stage.there(name)) == Counter(wanted.keys()), f"{name} there"
        assert Counter(await bridge.digests(name)) == Counter(wanted.keys()), f"{name} here"
        assert there == wanted, f"flags in {name}"
    await agree(bridge, stage, *MAILBOXES)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("without", [(), ("OBJECTID",), LESS], ids=["all", "no-names", "plain"])
async def test_what_both_sides_do_at_once_ends_in_one_place(tmp_path, without):
    print(f"MAILSYNCD_SEED={SEED}")
    for number in range(ROUNDS):
        try:
            await live(SEED + number, tmp_path / str(number), without)
        except BaseException as exc:
            exc.add_note(f"MAILSYNCD_SEED={SEED + number} MAILSYNCD_CONFLICTS=1")
            raise
