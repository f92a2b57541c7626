"""The outermost gate: whatever is raised inside becomes a problem, and no answer leaves without its headers.

What is raised by mistake goes on to `connection`, which logs it and answers 500.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

from api.context import ROUTE_NAME
from api.problems import Problem, problem_of_http, problem_of_mail_error
from daemon.model.errors import MailError


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or the problem it raised."""
    resource = request.match_info.route.resource
    request[ROUTE_NAME] = resource.canonical if resource is not None else "unknown"
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except MailError as error:
        return problem_of_mail_error(error).response()
    except web.HTTPException as error:
        return problem_of_http(error).response()
    except web.RequestPayloadError:
        return Problem("request_malformed", is_last=True).response()
