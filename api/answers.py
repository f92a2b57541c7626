"""Making answers: models to JSON, and the two ways in which something asked for may stand."""

from typing import Final

import orjson
from aiohttp import web
from pydantic import BaseModel

from api import limits, schemas, shaping
from api.problems import Problem
from daemon.model.jobs import Job, JobState
from daemon.model.operations import Operation, OperationState

_CONTENT_TYPE: Final = "application/json"


def answer(model: BaseModel, *, status: int = 200, location: str | None = None) -> web.Response:
    """The model as JSON."""
    return web.Response(
        status=status,
        body=orjson.dumps(model.model_dump(mode="json")),
        content_type=_CONTENT_TYPE,
        headers=None if location is None else {"Location": location},
    )


def wait_of(query: schemas.WaitQuery) -> float | None:
    """Seconds to wait, cut to what we are willing to hold a connection for."""
    return None if query.wait is None else min(query.wait, limits.MAX_WAIT_SECONDS)


def job_answer(job: Job, *, has_waited: bool) -> web.Response:
    """202 while it runs or when nobody waited; 200 with its result, a failed one included, to who did."""
    is_finished = has_waited and job.state is not JobState.RUNNING
    return answer(shaping.job(job), status=200 if is_finished else 202, location=f"/v1/jobs/{job.id}")


def operation_answer(operation: Operation, *, has_waited: bool) -> web.Response:
    """202 while it is pending or when nobody waited; 200 once the server has it.

    Raises:
        Problem: operation_failed or operation_uncertain, to who waited: the server does not have it. The operation
            stands in the member `operation`.
    """
    body = shaping.operation(operation)
    location = f"/v1/operations/{operation.id}"
    if not has_waited or operation.state is OperationState.PENDING:
        return answer(body, status=202, location=location)
    if operation.state in (OperationState.FAILED, OperationState.UNCERTAIN):
        code = "operation_failed" if operation.state is OperationState.FAILED else "operation_uncertain"
        members = {"operation": body.model_dump(mode="json"), "reason": operation.reason}
        raise Problem(code, members=members, headers={"Location": location})
    return answer(body, location=location)
