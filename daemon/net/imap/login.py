"""Who we are, and what the server can do once it knows: AUTHENTICATE or LOGIN, CAPABILITY, ENABLE, ID.

One attempt by the best mechanism offered; nothing is sent where none is fit. RFC 9051 §6.2; SASL-IR: RFC 4959; ENABLE:
RFC 5161; ID: RFC 2971, which is never fatal (mail.de answers BAD).
"""

from collections.abc import Mapping
from typing import Final

from daemon.model.errors import AuthenticationFailed, MailError
from daemon.model.secret import Secret
from daemon.net.imap.session import Session
from daemon.wire import sasl
from daemon.wire.imap import commands, quirks, refusals
from daemon.wire.imap.responses import Tagged
from daemon.wire.imap.states import State

IDENTITY: Final[Mapping[str, str]] = {"name": "mailsyncd"}


async def authenticate(session: Session, host: str, username: str, password: Secret) -> None:
    """Log in and settle what may be used; after an error the session is of no use."""
    _apply_profile(session, host)
    if session.connection.state is State.NOT_AUTHENTICATED:
        await _log_in(session, host, username, password)
    if not session.caps or session.profile.recheck_capabilities:
        await session.run(commands.capability())
    _apply_profile(session, host)
    wanted = [commands.enable(name) for name in _extensions(session)]
    if session.caps.has("ID"):
        wanted.append(commands.identify(IDENTITY))
    for _, answer in [session.start(command) for command in wanted]:
        await session.finish(answer)
    _apply_profile(session, host)


def _apply_profile(session: Session, host: str) -> None:
    profile = quirks.profile(
        host=host,
        greeting=session.greeting.text if session.greeting else "",
        identity=session.server_fields,
        capabilities=session.caps,
    )
    session.profile = profile
    session.connection.disable(profile.disabled)


def _extensions(session: Session) -> list[str]:
    if not session.caps.has("ENABLE"):
        return []
    return [name for name in ("QRESYNC", "CONDSTORE") if session.caps.has(name)][:1]


async def _log_in(session: Session, host: str, username: str, password: Secret) -> None:
    caps = session.caps
    if session.profile.identify_before_login and caps.has("ID"):
        await session.ask(commands.identify(IDENTITY))
    # Plaintext is possible on loopback only (`net.dialling`), so the line is private here in any case.
    exchange = sasl.choose(caps.sasl_mechanisms, username, password, is_private=True, host=host)
    if exchange is None and caps.has("LOGINDISABLED"):
        offered = ", ".join(sorted(caps.sasl_mechanisms)) or "none"
        raise AuthenticationFailed(
            f"{host} offers no way to log in with a password (mechanisms: {offered})",
            reason="auth_unsupported",
            remedy="the account may need an app password or OAuth",
        )
    if exchange is None:
        _check(await session.ask(commands.login(username, password)), host)
        return
    try:
        _check(await _exchange(session, exchange), host)
        exchange.check_server()
    except MailError:
        session.abort()
        raise


async def _exchange(session: Session, exchange: sasl.Exchange) -> Tagged:
    initial = exchange.initial_base64() if session.caps.has("SASL-IR") else None
    _, answer = session.start(commands.authenticate(exchange.name, initial))
    is_first = initial is None
    while not answer.done():
        challenge = session.take_challenge()
        if challenge is None:
            await session.stir()
            continue
        session.connection.answer_challenge(exchange.answer_base64(challenge, is_first=is_first))
        is_first = False
        session.flush()
    return await session.finish(answer)


def _check(tagged: Tagged, host: str) -> None:
    if tagged.is_ok:
        return
    refusal = refusals.refusal(tagged, doing="login")
    if not refusals.is_credential_failure(tagged):
        raise refusal
    raise AuthenticationFailed(
        f"{host} does not accept the credential; {refusal}",
        remedy="check username and password; some providers want an app password",
    )
