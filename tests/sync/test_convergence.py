"""Random two-way histories over a real Dovecot: both sides end as the model says, nothing lost, nothing twice.

A history is a few rounds; in each, both sides change at once and then meet. Within a round a message is moved, copied or
deleted on one side only, so that there is one right end; flags change on both. The seed is printed; MAILSYNCD_HISTORIES
says how many histories are lived, MAILSYNCD_SEED repeats them.
"""

import hashlib
import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.model.flags import ANSWERED, FLAGGED, SEEN, Flag
from daemon.model.operations import OperationKind
from tests.conftest import Mailbag
from tests.support.bridge import ACCOUNT, open_bridge
from tests.support.server_side import server_side
from tests.sync.stage import ask

HISTORIES = int(os.environ.get("MAILSYNCD_HISTORIES", "10"))
SEED = int(os.environ.get("MAILSYNCD_SEED", str(random.SystemRandom().randrange(1 << 30))))
ROUNDS = 5
MAILBOXES = ("INBOX", "Archive", "Lists/python")
DIRECTORIES = {"INBOX": ".", "Archive": ".Archive", "Lists/python": ".Lists.python"}
KEYWORD = Flag("project")
LETTERS = {ANSWERED: "R", FLAGGED: "F", SEEN: "S"}
PLAIN = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS"


@dataclass
class Placed:
    """One message in one mailbox, as both sides should have it."""

    octets: bytes
    mailbox: str
    flags: set = field(default_factory=set)
    owner: str | None = None  # the side that moves, copies or deletes it in this round
    before: frozenset = frozenset()  # its flags when the round began
    is_new: bool = False


class History:
    """The model, and both sides' ways to change what it says."""

    def __init__(self, rng: random.Random, bridge, server) -> None:
        self.rng = rng
        self.bridge = bridge
        self.server = server
        self.placed: list[Placed] = []
        self.count = 0
        self.log: list[str] = []
        self.at_first: set[tuple[bytes, str]] = set()
        self.uids: dict[str, dict[bytes, int]] = {}

    def begin_round(self) -> None:
        self.at_first = {(one.octets, one.mailbox) for one in self.placed}
        for one in self.placed:
            one.owner, one.before, one.is_new = None, frozenset(one.flags), False
        self.uids = {
            mailbox: {octets: uid for uid, octets in self.server.bodies(mailbox).items()}
            for mailbox in MAILBOXES
        }

    def fresh(self) -> bytes:
        self.count += 1
        line = "x" * self.rng.randrange(200)
        return f"Message-ID: <{self.count}@history>\r\nSubject: {self.count}\r\n\r\n{line}\r\n".encode()

    def pick(self, side: str) -> Placed | None:
        """A message that this side may move, copy or delete now; the other side then leaves it alone."""
        free = [one for one in self.placed if one.owner in {None, side} and not one.is_new]
        if not free:
            return None
        one = self.rng.choice(free)
        one.owner = side
        return one

    def other_mailbox(self, one: Placed) -> str | None:
        """Where it is not and was not when the round began: a file left there would have the same unique name."""
        taken = {other.mailbox for other in self.placed if other.octets == one.octets}
        free = [
            mailbox
            for mailbox in MAILBOXES
            if mailbox not in taken and (one.octets, mailbox) not in self.at_first
        ]
        return self.rng.choice(free) if free else None

    def is_ambiguous(self, one: Placed) -> bool:
        """Whether it was moved, or a copy of it made, in this very round.

        Its unique name then appears in two mailboxes at once when it leaves a third: which of them is the move and
        which the copy cannot be told, and what was flagged meanwhile follows the one that is taken for the move.
        """
        return any(
            other.octets == one.octets and (other.octets, other.mailbox) not in self.at_first
            for other in self.placed
        )

    def is_alone(self, one: Placed) -> bool:
        """Whether nothing else has its octets, or had them when the round began."""
        return (
            sum(other.octets == one.octets for other in self.placed) == 1
            and sum(octets == one.octets for octets, _ in self.at_first) == 1
        )

    def toggle(self, one: Placed, flag: Flag) -> bool:
        """What the flag becomes: the other of what it was when the round began, whoever says so first."""
        value = flag not in one.before
        (one.flags.add if value else one.flags.discard)(flag)
        return value

    # Here

    def file_of(self, one: Placed) -> Path:
        root = self.bridge.tree.root / DIRECTORIES[one.mailbox]
        for part in ("cur", "new"):
            for path in (root / part).iterdir():
                if path.read_bytes() == one.octets:
                    return path
        raise AssertionError(f"no file of {one} after {self.log}")

    def create_here(self) -> None:
        mailbox, octets = self.rng.choice(MAILBOXES), self.fresh()
        flags = {flag for flag in LETTERS if self.rng.random() < 0.4}
        root = self.bridge.tree.root / DIRECTORIES[mailbox]
        letters = "".join(sorted(LETTERS[flag] for flag in flags))
        name = f"{self.count}.{self.rng.randrange(1 << 30)}.reader"
        path = root / "cur" / f"{name}:2,{letters}" if flags else root / "new" / name
        path.write_bytes(octets)
        self.placed.append(Placed(octets, mailbox, flags, owner="here", is_new=True))

    def flag_here(self) -> None:
        free = [one for one in self.placed if one.owner != "there" and not one.is_new]
        if not free:
            return
        one = self.rng.choice(free)
        path = self.file_of(one)
        name, _, letters = path.name.partition(":2,")
        flag = self.rng.choice([*LETTERS, KEYWORD])
        letter = LETTERS.get(flag) or self.keyword_letter(one.mailbox)
        if letter is None:
            return
        value = self.toggle(one, flag)
        letters = set(letters) | {letter} if value else set(letters) - {letter}
        path.rename(path.parent.parent / "cur" / f"{name}:2,{''.join(sorted(letters))}")

    def keyword_letter(self, mailbox: str) -> str | None:
        file = self.bridge.tree.root / DIRECTORIES[mailbox] / "dovecot-keywords"
        if file.exists():
            for line in file.read_text().splitlines():
                number, _, word = line.partition(" ")
                if word == KEYWORD:
                    return chr(ord("a") + int(number))
        return None

    def delete_here(self) -> None:
        one = self.pick("here")
        if one is not None and not self.is_ambiguous(one):
            self.file_of(one).unlink()
            self.placed.remove(one)

    def move_here(self) -> None:
        one = self.pick("here")
        target = self.other_mailbox(one) if one is not None else None
        if one is None or target is None or self.is_ambiguous(one):
            return
        path = self.file_of(one)
        name, colon, letters = path.name.partition(":2,")
        # Letters of keywords differ from mailbox to mailbox: a careful program drops those it cannot explain.
        kept = "".join(letter for letter in letters if letter.isupper())
        if KEYWORD in one.flags or KEYWORD in one.before:
            return
        path.rename(self.bridge.tree.root / DIRECTORIES[target] / path.parent.name / f"{name}{colon}{kept}")
        one.mailbox = target

    def copy_here(self) -> None:
        one = self.pick("here")
        target = self.other_mailbox(one) if one is not None else None
        if one is None or target is None or KEYWORD in one.flags or KEYWORD in one.before:
            return
        if self.is_ambiguous(one):
            return
        path = self.file_of(one)
        shutil.copy2(path, self.bridge.tree.root / DIRECTORIES[target] / path.parent.name / path.name)
        shown = {flag for flag, letter in LETTERS.items() if letter in path.name.partition(":2,")[2]}
        self.placed.append(Placed(one.octets, target, shown, owner="here", is_new=True))

    async def wish(self) -> None:
        free = [one for one in self.placed if one.owner != "there" and not one.is_new]
        if not free:
            return
        one = self.rng.choice(free)
        name = self.file_of(one).name.partition(":")[0]
        message = await self.bridge.store.messages.by_name(ACCOUNT, one.mailbox, name)
        if message is None:
            return  # moved here in this very round
        if one.owner is None and self.rng.random() < 0.3:
            one.owner = "here"
            await ask(self.bridge, message.id)
            self.placed.remove(one)
            return
        flag = self.rng.choice([*LETTERS, KEYWORD])
        value = self.toggle(one, flag)
        change = {"add": {flag}} if value else {"remove": {flag}}
        await ask(self.bridge, message.id, OperationKind.FLAGS, **change)

    # There

    def append_there(self) -> None:
        mailbox, octets = self.rng.choice(MAILBOXES), self.fresh()
        flags = {flag for flag in LETTERS if self.rng.random() < 0.4}
        self.server.append(octets, mailbox, " ".join(flags))
        self.placed.append(Placed(octets, mailbox, flags, owner="there", is_new=True))

    def flag_there(self) -> None:
        free = [one for one in self.placed if not one.is_new and one.octets in self.uids[one.mailbox]]
        if free:
            one = self.rng.choice(free)
            flag = self.rng.choice([*LETTERS, KEYWORD])
            uid = self.uids[one.mailbox][one.octets]
            value = self.toggle(one, flag)
            self.server.store([uid], "+" if value else "-", flag, one.mailbox)

    def expunge_there(self) -> None:
        one = self.pick("there")
        if one is None or (self.is_ambiguous(one) and set(one.before) != one.flags):
            return  # with a copy of it made in this round it is a move, and what was flagged meanwhile goes along
        self.server.expunge([self.uids[one.mailbox].pop(one.octets)], one.mailbox)
        self.placed.remove(one)

    def move_there(self) -> None:
        self._place_there(is_move=True)

    def copy_there(self) -> None:
        self._place_there(is_move=False)

    def _place_there(self, *, is_move: bool) -> None:
        # What was flagged here meanwhile follows a move, but for one of several equal messages: which one moved is open.
        free = [
            one
            for one in self.placed
            if one.owner is None and (set(one.before) == one.flags or (is_move and self.is_alone(one)))
        ]
        one = self.rng.choice(free) if free else None
        target = self.other_mailbox(one) if one is not None else None
        if one is None or target is None:
            return
        one.owner = "there"
        uid = str(self.uids[one.mailbox][one.octets])
        self.server.select(one.mailbox)
        status, data = self.server.imap.uid("COPY", uid, f'"{target}"')
        assert status == "OK", data
        self.placed.append(Placed(one.octets, target, set(one.flags), owner="there", is_new=True))
        if is_move:
            self.server.expunge([self.uids[one.mailbox].pop(one.octets)], one.mailbox)
            self.placed.remove(one)

    async def change(self) -> None:
        """One change on one side."""
        act = self.rng.choice(
            [
                self.create_here, self.flag_here, self.flag_here, self.delete_here, self.move_here, self.copy_here,
                self.wish, self.append_there, self.append_there, self.flag_there, self.flag_there,
                self.expunge_there, self.move_there, self.copy_there,
            ]
        )  # fmt: skip
        before = [(one, str(one)) for one in self.placed]
        done = act()
        if done is not None:
            await done
        changed = [text for one, text in before if one not in self.placed or str(one) != text]
        self.log.append(f"{act.__name__} {changed}")


async def check(history: History) -> None:
    bridge, server = history.bridge, history.server
    for mailbox in MAILBOXES:
        expected = {
            hashlib.sha256(one.octets).hexdigest(): one.flags
            for one in history.placed
            if one.mailbox == mailbox
        }
        flags = server.flags(mailbox)
        there = {uid: hashlib.sha256(octets).hexdigest() for uid, octets in server.bodies(mailbox).items()}
        assert Counter(there.values()) == Counter(expected.keys()), f"{mailbox} there"
        assert Counter(await bridge.digests(mailbox)) == Counter(expected.keys()), f"{mailbox} here"
        assert {digest: flags[uid] for uid, digest in there.items()} == expected, f"{mailbox} flags there"
        view = await bridge.store.base.load(ACCOUNT, mailbox)
        assert {entry.uid: entry.flags for entry in view.entries} == flags
        by_name = {entry.maildir_name: entry.flags for entry in view.entries}
        for name, path in (await bridge.files(mailbox)).items():
            letters = {letter for letter in path.name.partition(":2,")[2] if letter.isupper()}
            assert letters == {LETTERS[flag] for flag in by_name[name] if flag in LETTERS}


async def decide(history: History) -> None:
    """Approve what was held, which may only be mailboxes that were emptied: two within minutes are (sync.md 13)."""
    engine = history.bridge.engine
    for mailbox, hold in list(engine.held.items()):
        left = [one for one in history.placed if one.mailbox == mailbox]
        assert not left, f"a false hold: {hold}"
        assert "emptied" in hold.reason, hold
        await engine.approve(mailbox)
        await history.bridge.sync()


async def mod_seqs(bridge) -> list:
    client = await bridge.connect()
    await client.unselect()
    return [
        (one.name, one.uid_next, one.highest_mod_seq, one.message_count)
        for one in await client.list_mailboxes()
    ]


async def live(seed: int, mailbag, path: Path) -> None:
    rng = random.Random(seed)
    with server_side(mailbag) as server:
        for mailbox in MAILBOXES[1:]:
            server.create(mailbox)
        history = History(rng, None, server)
        try:
            await live_rounds(history, mailbag, path)
        except BaseException as exc:
            exc.add_note("\n".join(history.log[-12:]))
            raise


async def live_rounds(history: History, mailbag, path: Path) -> None:
    rng, server = history.rng, history.server
    for number in range(ROUNDS):
        async with open_bridge(path, mailbag) as bridge:
            history.bridge = bridge
            if number == 0:
                for mailbox in MAILBOXES:
                    for _ in range(3):
                        octets = history.fresh()
                        server.append(octets, mailbox)
                        history.placed.append(Placed(octets, mailbox))
                await bridge.sync()
            for _ in range(rng.randint(1, 2)):
                history.begin_round()
                history.log.append("round")
                for _ in range(rng.randint(1, 9)):
                    await history.change()
                if rng.random() < 0.3:
                    await bridge.run_pass(only={"INBOX"})
                if rng.random() < 0.3:
                    await bridge.disconnect()
                await bridge.sync()
                await decide(history)
                await check(history)
            before = await mod_seqs(bridge)
            assert (await bridge.run_pass()).is_quiet
            assert await mod_seqs(bridge) == before, "a quiet pass writes nothing"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("capability", [None, PLAIN], ids=["all", "plain"])
async def test_random_histories_end_as_the_model_says(dovecot_factory, tmp_path, capability):
    print(f"MAILSYNCD_SEED={SEED}")
    server = dovecot_factory(capability=capability)
    for number in range(HISTORIES):
        seed = SEED + number
        try:
            await live(seed, Mailbag(server, f"history{number}"), tmp_path / f"store{number}")
        except BaseException as exc:
            exc.add_note(f"MAILSYNCD_SEED={seed} MAILSYNCD_HISTORIES=1")
            raise
