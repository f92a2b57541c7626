"""GET /v1/operations/{id}: a change to a message, as far as it is now, or when it is finished."""

from aiohttp import web

from api import schemas, shaping
from api.answers import answer, wait_of
from api.context import WAITS, control_of
from api.reading import read_query


async def get_operation(request: web.Request) -> web.Response:
    """The operation, 200 whatever became of it; `wait` gives it time to finish."""
    control = control_of(request)
    operation_id = request.match_info["id"]
    wait = wait_of(read_query(request, schemas.WaitQuery))
    if wait is None:
        return answer(shaping.operation(await control.operation(operation_id)))
    async with request.app[WAITS].hold():
        return answer(shaping.operation(await control.operation(operation_id, wait_seconds=wait)))
