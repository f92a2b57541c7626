"""A wish that was durable before a crash is on the file after the next start."""

import pytest

from daemon.model.flags import SEEN
from daemon.model.ids import new_operation_id
from daemon.model.message import MessageQuery
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.states import AccountState as S


@pytest.mark.dovecot
async def test_crash_between_wish_and_rename_is_made_good(open_house, dovecot, imap_account) -> None:
    dovecot.append(b"Subject: one\r\n\r\nbody\r\n")
    account = imap_account(dovecot.port, username=dovecot.user)
    house = await open_house(account)
    await house.reaches(S.IDLE)
    [message] = (await house.control.list_messages(MessageQuery())).items
    await house.service.stop()
    wish = await house.store.operations.ask(
        Operation(
            id=new_operation_id(),
            account=account.id,
            message_id=message.id,
            kind=OperationKind.FLAGS,
            state=OperationState.PENDING,
            created_at=0.0,
            add=frozenset({SEEN}),
        )
    )
    house = await open_house(account)
    assert (await house.control.operation(wish.id, wait_seconds=10)).state is OperationState.DONE
    assert "\\Seen" in dovecot.flags_of(1)


@pytest.mark.dovecot
async def test_wish_for_a_file_that_is_gone_stops_nothing(
    open_house, dovecot, imap_account, tmp_path
) -> None:
    dovecot.append(b"Subject: one\r\n\r\nbody\r\n")
    account = imap_account(dovecot.port, username=dovecot.user)
    house = await open_house(account)
    await house.reaches(S.IDLE)
    [message] = (await house.control.list_messages(MessageQuery())).items
    await house.control.pause("work", wait_seconds=5)
    for file in (tmp_path / "store" / "mail" / "work" / "new").iterdir():
        file.unlink()
    operation = await house.control.change_flags(message.id, add=frozenset({SEEN}), wait_seconds=None)
    assert operation.state is OperationState.PENDING
    await house.control.resume("work", wait_seconds=5)
    await house.reaches(S.IDLE)
