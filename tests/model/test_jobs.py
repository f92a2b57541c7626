"""Ids of jobs."""

from daemon.model.ids import is_hex_id
from daemon.model.jobs import new_job_id


def test_job_ids_are_random_hex() -> None:
    ids = {new_job_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_hex_id(job_id) for job_id in ids)
