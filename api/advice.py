"""POST /v1/advise: which of the two protocols fits a server that no account knows yet."""

from aiohttp import web

from api import schemas
from api.answers import answer
from api.context import control_of
from api.problems import Problem
from api.reading import read_body
from daemon.model.advice import ServerSeen, Wants
from daemon.model.errors import MailError
from daemon.model.secret import Secret

_RETRY_SECONDS = 5


async def post_advise(request: web.Request) -> web.Response:
    """Look at the server over both protocols, with a login if one is given, and say which fits and why."""
    body = await read_body(request, schemas.AdviceRequest)
    wants = Wants(
        has_several_devices=body.several_devices,
        is_server_to_be_emptied=body.empty_server,
        are_deletions_to_stay_local=body.local_deletions,
        is_line_slow=body.slow_line,
    )
    try:
        found = await control_of(request).consult(body.address, wants, _login(body))
    except MailError as error:
        if error.reason == "advice_busy":
            raise Problem("too_busy", headers={"Retry-After": str(_RETRY_SECONDS)}) from error
        raise
    advice = found.advice
    return answer(
        schemas.AdviceAnswer(
            protocol=advice.protocol,
            headline=advice.headline,
            reasons=list(advice.reasons),
            cautions=list(advice.cautions),
            config=advice.config,
            imap=_seen(found.imap),
            pop3=_seen(found.pop3),
        )
    )


def _login(body: schemas.AdviceRequest) -> tuple[str, Secret] | None:
    if body.username is None or body.password is None:
        return None
    return body.username, Secret(body.password.get_secret_value())


def _seen(server: ServerSeen | None) -> schemas.ServerSeen | None:
    if server is None:
        return None
    return schemas.ServerSeen(
        host=server.host,
        port=server.port,
        tls=server.tls,
        capabilities=list(server.capabilities),
        mechanisms=list(server.mechanisms),
        facts=list(server.facts),
        mailboxes=server.mailboxes,
        messages=server.messages,
        size_bytes=server.octets,
        login_error=server.login_error,
        unique_ids=server.has_unique_ids,
        expires=server.is_mail_expiring,
        expire_days=server.expire_days,
        login_delay_seconds=server.login_delay_seconds,
    )
