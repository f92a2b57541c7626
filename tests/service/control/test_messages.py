"""Messages through the facade: read as they came, changed durably, repeated without harm."""

import hashlib

import pytest

from daemon.model.errors import InvalidRequest, NotFound
from daemon.model.flags import FLAGGED, NO_FLAGS, SEEN, Flag
from daemon.model.message import MessageQuery
from daemon.model.operations import OperationKind, OperationState
from daemon.model.states import AccountState as S

MAIL = b"From: a@example.com\r\nSubject: one\r\n\r\nbody\r\n"


@pytest.fixture
async def house(open_house, dovecot, imap_account):
    dovecot.append(MAIL)
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    return house


async def only_message(house):
    [message] = (await house.control.list_messages(MessageQuery())).items
    return message


@pytest.mark.dovecot
async def test_raw_is_byte_for_byte_what_the_server_sent(house) -> None:
    message = await only_message(house)
    raw = await house.control.open_raw(message.id)
    octets = b"".join([chunk async for chunk in raw.chunks])
    assert octets == MAIL
    assert (raw.size, raw.sha256) == (len(MAIL), hashlib.sha256(MAIL).hexdigest())


@pytest.mark.dovecot
async def test_raw_of_a_file_that_is_gone_is_not_found(house, tmp_path) -> None:
    message = await only_message(house)
    await house.service.stop()
    for file in (tmp_path / "store" / "mail" / "work" / "new").iterdir():
        file.unlink()
    with pytest.raises(NotFound):
        await house.control.open_raw(message.id)


@pytest.mark.dovecot
async def test_flag_is_on_the_file_at_once_and_on_the_server_when_waited_for(
    house, dovecot, tmp_path
) -> None:
    message = await only_message(house)
    operation = await house.control.change_flags(
        message.id, add={SEEN, FLAGGED}, remove=NO_FLAGS, wait_seconds=None
    )
    assert operation.state is OperationState.PENDING
    [file] = (tmp_path / "store" / "mail" / "work" / "cur").iterdir()
    assert file.name.endswith(":2,FS")
    done = await house.control.operation(operation.id, wait_seconds=10)
    assert done.state is OperationState.DONE
    assert "(\\Flagged \\Seen)" in dovecot.flags_of(1)
    assert (await house.control.get_message(message.id)).flags == {SEEN, FLAGGED}


@pytest.mark.dovecot
async def test_repeated_flag_change_is_harmless(house, dovecot) -> None:
    message = await only_message(house)
    for _ in range(2):
        operation = await house.control.change_flags(message.id, add=frozenset({SEEN}), wait_seconds=10)
        assert operation.state is OperationState.DONE
    assert "\\Seen" in dovecot.flags_of(1)


@pytest.mark.dovecot
async def test_deleted_message_is_hidden_at_once_and_gone_when_the_server_answered(
    house, dovecot, tmp_path
) -> None:
    message = await only_message(house)
    first = await house.control.delete_message(message.id, wait_seconds=None)
    assert first.kind is OperationKind.DELETE
    assert (await house.control.list_messages(MessageQuery())).items == ()
    with pytest.raises(NotFound):
        await house.control.get_message(message.id)
    done = await house.control.operation(first.id, wait_seconds=10)
    assert done.state is OperationState.DONE
    assert dovecot.flags_of(1) is None
    root = tmp_path / "store" / "mail" / "work"
    assert not list((root / "new").iterdir())
    assert not list((root / "cur").iterdir())


@pytest.mark.dovecot
async def test_wish_made_while_paused_is_carried_out_after_resume(house, dovecot) -> None:
    message = await only_message(house)
    await house.control.pause("work", wait_seconds=5)
    operation = await house.control.change_flags(message.id, add=frozenset({SEEN}), wait_seconds=0.1)
    assert operation.state is OperationState.PENDING
    await house.control.resume("work", wait_seconds=5)
    assert (await house.control.operation(operation.id, wait_seconds=10)).state is OperationState.DONE
    assert "\\Seen" in dovecot.flags_of(1)


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("add", "remove", "reason"),
    [
        ({Flag("\\Recent")}, set(), "flag_invalid"),
        ({Flag("two words")}, set(), "flag_invalid"),
        ({Flag("x) BAD (y")}, set(), "flag_invalid"),
        ({SEEN}, {SEEN}, "flags_contradict"),
        ({Flag("\\seen")}, {SEEN}, "flags_contradict"),
        (set(), set(), "flags_empty"),
    ],
)
async def test_impossible_flags_are_refused_and_nothing_is_changed(house, add, remove, reason) -> None:
    message = await only_message(house)
    with pytest.raises(InvalidRequest) as caught:
        await house.control.change_flags(
            message.id, add=frozenset(add), remove=frozenset(remove), wait_seconds=None
        )
    assert caught.value.reason == reason
    assert (await house.control.get_message(message.id)).flags == message.flags


@pytest.mark.parametrize("message_id", ["0" * 32, "", "../../etc/passwd", "x" * 10_000, "0" * 31 + "G"])
async def test_unknown_message_is_not_found(open_house, scripted, imap_account, message_id: str) -> None:
    house = await open_house(imap_account(scripted.port))
    for ask in (house.control.get_message, house.control.open_raw):
        with pytest.raises(NotFound) as caught:
            await ask(message_id)
        assert caught.value.reason == "message_unknown"
        assert len(str(caught.value)) < 200
    with pytest.raises(NotFound):
        await house.control.delete_message(message_id, wait_seconds=None)
    with pytest.raises(NotFound) as caught:
        await house.control.operation(message_id)
    assert caught.value.reason == "operation_unknown"


async def test_messages_of_an_unknown_account_are_not_found(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    with pytest.raises(NotFound) as caught:
        await house.control.list_messages(MessageQuery(account="nobody"))
    assert caught.value.reason == "account_unknown"
