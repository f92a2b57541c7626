"""GET /v1/jobs/{id}: what was asked of an account, as far as it is now."""

from aiohttp import web

from api import shaping
from api.answers import answer
from api.context import control_of


async def get_job(request: web.Request) -> web.Response:
    """The job, whatever became of it."""
    return answer(shaping.job(control_of(request).job(request.match_info["id"])))
