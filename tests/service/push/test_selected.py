"""Mail that only a SELECT told of is taken in at once, whatever the rung."""

from dataclasses import replace

import pytest
import structlog

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.model.clock import SystemClock
from daemon.model.ids import AccountId
from daemon.model.states import AccountState as S
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.push.news import by_wire_name
from daemon.service.push.selected import Selected
from daemon.service.wakes import Agenda
from tests.sync.stage import letter, open_stage

MAIL = b"Subject: hello\r\n\r\nworld\r\n"


@pytest.fixture
def never(quick_pace):
    return replace(quick_pace, pass_interval_seconds=3600.0)


async def test_each_select_is_held_against_the_store_and_the_same_numbers_are_followed_once(tmp_path) -> None:
    async with open_stage(tmp_path) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1))
        stage.deliver(letter(2), mailbox="Sent")
        await bridge.sync()
        selected = Selected(
            account=AccountId("work"),
            client=bridge.client,
            store=bridge.store,
            pulse=Pulse(SystemClock()),
            pace=Pace(),
            log=structlog.get_logger(),
        )

        async def unseen(*names: bytes) -> Agenda:
            for name in names:
                await bridge.client.select(name)
            return selected.unseen(by_wire_name(await bridge.store.mailboxes.list(AccountId("work"))))

        assert (await unseen(b"INBOX")).is_empty
        await bridge.client.select(b"Sent")
        stage.deliver(letter(3))
        assert (await unseen(b"INBOX")).only == {"INBOX"}
        assert (await unseen()).is_empty, "judged once"
        assert (await unseen(b"Sent", b"INBOX")).is_empty, "the same numbers"
        stage.deliver(letter(4))
        assert (await unseen(b"Sent", b"INBOX")).only == {"INBOX"}
        await bridge.run_pass(only={"INBOX"})
        assert (await unseen()).is_empty
        assert (await unseen(b"Sent")).is_empty


def mark_seen(place) -> None:
    """What a reader does here to all messages of a mailbox."""
    for path in [*place.glob("cur/*"), *place.glob("new/*")]:
        path.rename(place / "cur" / f"{path.name.partition(':')[0]}:2,S")


async def test_mail_that_comes_into_inbox_while_another_mailbox_is_worked_on_does_not_wait(
    open_house, imap_account, never, until, tmp_path
) -> None:
    """Answers are stored and their questions marked: INBOX is selected again after the uploads, and tells then.

    The order of mailboxes in a pass is any; with so many INBOX is hardly the last one that is scanned.
    """
    user = User("me", "secret")
    inbox = user.find("INBOX")
    others = {name: user.create(name) for name in (f"box{number}" for number in range(8))}
    for box in (inbox, inbox, *others.values()):
        box.deliver(MAIL, internal_date=1_700_000_000)
    async with ImapServer([user]) as server:
        house = await open_house(imap_account(server.port, max_connections=2), pace=never)
        root = tmp_path / "store" / "mail" / "work"
        await until(lambda: house.control.account_status("work").total == 10)
        await house.reaches(S.IDLE)
        arrivals = []

        def deliver() -> None:
            if not arrivals:
                arrivals.append(inbox.deliver(MAIL, internal_date=1_700_000_001))

        for name, box in others.items():
            box.watch(deliver)
            (root / f".{name}" / "cur" / "99.me:2,S").write_bytes(b"Subject: answer\n\nyes\n")
        mark_seen(root)
        await until(lambda: house.control.account_status("work").total == 19)
        assert house.connects == 1


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 IDLE NOTIFY UNSELECT", "IMAP4rev1 IDLE NOTIFY"])
async def test_mail_that_notify_takes_for_told_by_select_does_not_wait(
    open_house, scripted, boxes, imap_account, never, until, tmp_path, capabilities
) -> None:
    scripted.capabilities = capabilities
    arrivals = []

    def store(tag: str, _: str) -> bytes:
        if not arrivals:
            arrivals.append("a" if boxes.selected == "INBOX" else "INBOX")
            boxes.deliver(arrivals[0])
        return f"{tag} OK done\r\n".encode()

    for name in ("INBOX", "a"):
        boxes.deliver(name)
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=never)
    await until(lambda: house.control.account_status("work").total == 2)
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands[-1] == "IDLE")
    scripted.on["UID STORE"] = store
    root = tmp_path / "store" / "mail" / "work"
    for place in (root, root / ".a"):
        mark_seen(place)
    await until(lambda: house.control.account_status("work").total == 3)


async def test_message_that_cannot_be_fetched_does_not_keep_the_account_from_waiting(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    """The same numbers are followed once."""
    fetch = scripted.on["UID FETCH"]
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=never)
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands[-1] == "IDLE")
    scripted.on["UID FETCH"] = lambda tag, words: f"{tag} NO not now\r\n".encode()
    boxes.deliver("INBOX")
    scripted.say(b"* 1 EXISTS\r\n")
    await until(lambda: "UID FETCH" in scripted.commands)
    await until(lambda: scripted.commands[-1] == "IDLE")
    passes = len(house.passes)
    scripted.on["UID FETCH"] = fetch
    boxes.deliver("INBOX")
    scripted.say(b"* 2 EXISTS\r\n")
    await until(lambda: house.control.account_status("work").total == 2)
    assert passes <= 4
