"""Accounts through the facade: jobs, mailboxes, held deletions."""

import pytest

from daemon.model.errors import NotFound
from daemon.model.jobs import JobKind, JobState
from daemon.model.states import AccountState as S


@pytest.mark.parametrize("wish", ["request_sync", "pause", "resume", "reconnect"])
async def test_unknown_account_is_not_found(open_house, wish: str) -> None:
    house = await open_house()
    with pytest.raises(NotFound) as caught:
        await getattr(house.control, wish)("nobody", wait_seconds=None)
    assert caught.value.reason == "account_unknown"


async def test_job_can_be_looked_up_later(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    job = await house.control.request_sync("work", wait_seconds=None)
    assert job.kind is JobKind.SYNC
    assert house.control.job(job.id).id == job.id
    with pytest.raises(NotFound) as caught:
        house.control.job("0" * 32)
    assert caught.value.reason == "job_unknown"


@pytest.mark.dovecot
async def test_mailboxes_come_with_inbox_first_and_their_counts(open_house, dovecot, imap_account) -> None:
    client = dovecot.open()
    client.create("Archive")
    client.logout()
    dovecot.append(b"Subject: x\r\n\r\n", "Archive")
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    inbox, archive = await house.control.list_mailboxes("work")
    assert (inbox.record.name, archive.record.name) == ("INBOX", "Archive")
    assert (archive.counts.total, archive.counts.unread) == (1, 1)
    assert archive.lag_seconds is not None
    with pytest.raises(NotFound):
        await house.control.list_mailboxes("nobody")


@pytest.mark.dovecot
async def test_held_deletions_are_shown_and_go_on_when_approved(
    open_house, dovecot, imap_account, tmp_path
) -> None:
    client = dovecot.open()
    for number in range(60):
        client.append("INBOX", "", None, b"Subject: %d\r\n\r\nbody\r\n" % number)
    client.logout()
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    files = list((tmp_path / "store" / "mail" / "work" / "new").iterdir())
    for file in files[:55]:
        file.unlink()
    job = await house.control.request_sync("work", wait_seconds=20)
    assert (job.state, job.result.held) == (JobState.DONE, 55)
    await house.reaches(S.HELD)
    assert house.control.account_status("work").reason == "deletion_held"
    [held] = house.control.held_deletions("work")
    assert (held.mailbox, held.count) == ("INBOX", 55)
    assert dovecot.flags_of(1) is not None
    with pytest.raises(NotFound) as caught:
        await house.control.approve_deletions("work", "Archive", wait_seconds=None)
    assert caught.value.reason == "hold_unknown"
    job = await house.control.approve_deletions("work", "INBOX", wait_seconds=20)
    assert (job.state, job.result.expunged_there) == (JobState.DONE, 55)
    await house.reaches(S.IDLE)
    assert house.control.held_deletions("work") == ()
