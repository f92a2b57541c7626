"""Who we are, and what the server can do once it knows: AUTHENTICATE or LOGIN, CAPABILITY, ENABLE, ID.

One attempt by the best mechanism offered; nothing is sent where none is fit. RFC 9051 §6.2; SASL-IR: RFC 4959; OAUTHBEARER:
RFC 7628; ENABLE: RFC 5161, for QRESYNC (RFC 7162), IMAP4rev2 (RFC 9051 appendix D) and UTF8=ACCEPT (RFC 6855), without
which a server rewrites messages with 8-bit headers; ID: RFC 2971, which is never fatal (mail.de answers BAD).
"""

from collections.abc import Mapping
from typing import Final

from daemon.model.errors import AuthenticationFailed, MailError
from daemon.model.secret import Secret
from daemon.net.challenges import answer_challenges
from daemon.net.endpoint import Endpoint
from daemon.net.imap.session import Session
from daemon.net.imap.values import CredentialKind
from daemon.wire import sasl
from daemon.wire.imap import commands, quirks, refusals
from daemon.wire.imap.responses import Tagged
from daemon.wire.imap.states import State

_NAMED: Final = frozenset({CredentialKind.OAUTHBEARER, CredentialKind.XOAUTH2})
IDENTITY: Final[Mapping[str, str]] = {"name": "mailsyncd"}


async def authenticate(
    session: Session, endpoint: Endpoint, username: str, secret: Secret, kind: CredentialKind
) -> None:
    """Log in and settle what may be used; after an error the session is of no use."""
    host = endpoint.host
    _apply_profile(session, host)
    if session.connection.state is State.NOT_AUTHENTICATED:
        await _log_in(session, endpoint, username, secret, kind)
    if not session.caps or session.profile.recheck_capabilities:
        await session.run(commands.capability())
    _apply_profile(session, host)
    await _enable(session)
    if session.caps.has("ID"):
        await session.ask(commands.identify(IDENTITY))
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


async def _enable(session: Session) -> None:
    """Switch on what is offered, all by one command; by itself the first where the server chokes on the rest."""
    names = _extensions(session)
    if names and session.connection.state is State.AUTHENTICATED:
        tagged = await session.ask(commands.enable(*names))
        if not tagged.is_ok and len(names) > 1:
            await session.ask(commands.enable(names[0]))


def _extensions(session: Session) -> list[str]:
    caps = session.caps
    if not caps.has("ENABLE"):
        return []
    names = [name for name in ("QRESYNC", "CONDSTORE") if caps.has(name)][:1]
    if caps.has("IMAP4REV2") and caps.has("IMAP4REV1"):
        names.append("IMAP4rev2")
    if caps.has("UTF8=ACCEPT") or caps.has("UTF8=ONLY"):
        names.append("UTF8=ACCEPT")
    return names


async def _log_in(
    session: Session, endpoint: Endpoint, username: str, secret: Secret, kind: CredentialKind
) -> None:
    caps, host = session.caps, endpoint.host
    if session.profile.identify_before_login and caps.has("ID"):
        await session.ask(commands.identify(IDENTITY))
    is_token = kind is not CredentialKind.PASSWORD
    # Plaintext is possible on loopback only (`net.dialling`), so the line is private here in any case.
    exchange = sasl.choose(
        caps.sasl_mechanisms,
        username,
        secret,
        is_private=True,
        is_token=is_token,
        only=kind.value if kind in _NAMED else None,
        host=host,
        port=endpoint.port,
    )
    if exchange is None and (is_token or caps.has("LOGINDISABLED")):
        offered = ", ".join(sorted(caps.sasl_mechanisms)) or "none"
        what = "an access token" if is_token else "a password"
        raise AuthenticationFailed(
            f"{host} offers no way to log in with {what} (mechanisms: {offered})",
            reason="auth_unsupported",
            remedy="this server may want a password"
            if is_token
            else "the account may need an app password or OAuth",
        )
    if exchange is None:
        _check(await session.ask(commands.login(username, secret)), host)
        return
    try:
        tagged = await _exchange(session, exchange)
        if is_token and not tagged.is_ok and refusals.is_credential_failure(tagged):
            raise _token_refused(tagged, exchange, host)
        _check(tagged, host)
        exchange.check_server()
    except MailError:
        session.abort()
        raise


def _token_refused(tagged: Tagged, exchange: sasl.Exchange, host: str) -> AuthenticationFailed:
    status = f" (status {exchange.failure})" if isinstance(exchange, sasl.Bearer) and exchange.failure else ""
    return AuthenticationFailed(
        f"{host} does not accept the access token{status}; {refusals.refusal(tagged, doing='login')}",
        reason="token_refused",
        remedy="get a fresh access token; if that one fails too, consent must be given again",
    )


async def _exchange(session: Session, exchange: sasl.Exchange) -> Tagged:
    initial = exchange.initial_base64() if session.caps.has("SASL-IR") else None
    _, answer = session.start(commands.authenticate(exchange.name, initial))
    return await answer_challenges(session, session.connection, exchange, answer, initial=initial)


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
