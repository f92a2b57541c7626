"""Passes go on until one finds nothing, and their work is added up."""

import pytest

from daemon.model.jobs import JobState
from daemon.model.states import AccountState as S


@pytest.mark.dovecot
async def test_result_has_what_all_passes_did(open_house, dovecot, imap_account, tmp_path) -> None:
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    mail = tmp_path / "store" / "mail" / "work" / "cur" / "local.1:2,S"
    mail.write_bytes(b"Subject: mine\n\nbody\n")
    job = await house.control.request_sync("work", wait_seconds=10)
    assert job.state is JobState.DONE
    assert job.result.uploaded == 1
    assert not job.result.failed
    assert "\\Seen" in dovecot.flags_of(1)
    again = await house.control.request_sync("work", wait_seconds=10)
    assert again.result.is_quiet
