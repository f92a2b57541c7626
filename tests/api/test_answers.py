"""Jobs and operations as answers: 202 or 200, never 200 for what the server does not have."""

import json

import pytest

from api import limits, schemas
from api.answers import job_answer, operation_answer, wait_of
from api.problems import Problem
from daemon.model.flags import SEEN
from daemon.model.ids import AccountId, new_message_id, new_operation_id
from daemon.model.jobs import Job, JobKind, JobState, new_job_id
from daemon.model.operations import Operation, OperationKind, OperationState


def job(state):
    return Job(id=new_job_id(), account=AccountId("work"), kind=JobKind.SYNC, state=state, created_at=1.0)


def operation(state):
    return Operation(
        id=new_operation_id(),
        account=AccountId("work"),
        message_id=new_message_id(),
        kind=OperationKind.FLAGS,
        state=state,
        created_at=1.0,
        add=frozenset({SEEN}),
    )


@pytest.mark.parametrize("state", JobState)
def test_job_nobody_waited_for_is_202(state):
    assert job_answer(job(state), has_waited=False).status == 202


@pytest.mark.parametrize(
    ("state", "status"), [(JobState.RUNNING, 202), (JobState.DONE, 200), (JobState.FAILED, 200)]
)
def test_job_waited_for_is_200_when_finished(state, status):
    assert job_answer(job(state), has_waited=True).status == status


@pytest.mark.parametrize("state", OperationState)
def test_operation_nobody_waited_for_is_202(state):
    value = operation(state)
    response = operation_answer(value, has_waited=False)
    assert response.status == 202
    assert response.headers["Location"] == f"/v1/operations/{value.id}"
    assert json.loads(response.body)["state"] == state


@pytest.mark.parametrize(
    ("state", "status"),
    [(OperationState.PENDING, 202), (OperationState.DONE, 200), (OperationState.MARKED, 200)],
)
def test_operation_waited_for_is_200_once_the_server_has_it(state, status):
    assert operation_answer(operation(state), has_waited=True).status == status


@pytest.mark.parametrize("state", [OperationState.FAILED, OperationState.UNCERTAIN])
def test_operation_the_server_does_not_have_is_a_problem(state):
    with pytest.raises(Problem) as caught:
        operation_answer(operation(state), has_waited=True)
    assert json.loads(caught.value.body())["operation"]["state"] == state


def test_wait_is_cut_to_what_we_hold_a_connection_for():
    assert wait_of(schemas.WaitQuery()) is None
    assert wait_of(schemas.WaitQuery(wait=0)) == 0
    assert wait_of(schemas.WaitQuery(wait=1e9)) == limits.MAX_WAIT_SECONDS
