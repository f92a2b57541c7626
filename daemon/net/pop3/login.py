"""Who we are: AUTH by the best mechanism offered, else USER and PASS; then what the server can do for us.

One attempt; nothing is sent where nothing is fit, and a mechanism that fails is not followed by a weaker one. RFC 5034;
UTF8: RFC 6856 §2, never fatal. APOP is not spoken.
"""

from daemon.model.errors import AuthenticationFailed, MailError
from daemon.model.secret import Secret
from daemon.net.challenges import answer_challenges
from daemon.net.pop3.session import Session
from daemon.wire import sasl
from daemon.wire.pop3 import commands, refusals
from daemon.wire.pop3.events import CommandDone


async def authenticate(session: Session, host: str, username: str, secret: Secret) -> None:
    """Log in; after an error the session is of no use."""
    if session.caps.has("UTF8"):
        # without it messages with UTF-8 headers are refused or rewritten by the server
        await session.ask(commands.utf8())
    # Plaintext is possible on loopback only (`net.dialling`), so the line is private here in any case.
    exchange = sasl.choose(session.caps.sasl_mechanisms, username, secret, is_private=True, host=host)
    try:
        if exchange is not None:
            _check(session, host, await _exchange(session, exchange))
            exchange.check_server()
        elif session.caps.has("SASL") and not session.caps.has("USER"):
            offered = ", ".join(sorted(session.caps.sasl_mechanisms)) or "none"
            raise AuthenticationFailed(
                f"{host} offers no way to log in with a password (mechanisms: {offered})",
                reason="auth_unsupported",
                remedy="the account may need an app password or OAuth",
            )
        else:
            _check(session, host, await session.ask(commands.user(username)))
            _check(session, host, await session.ask(commands.password(secret)))
    except MailError:
        session.abort()
        raise
    if session.caps and _may_tell_more(session):
        await session.ask(commands.capa())


def _may_tell_more(session: Session) -> bool:
    """Whether CAPA is worth another round trip: numbers per user, or extensions told after login only."""
    caps = session.caps
    delay, expire = caps.login_delay, caps.expire
    is_per_user = (delay is not None and delay.is_per_user) or (expire is not None and expire.is_per_user)
    return is_per_user or not (caps.has("UIDL") and caps.has("PIPELINING"))


async def _exchange(session: Session, exchange: sasl.Exchange) -> CommandDone:
    initial = exchange.initial_base64()
    if initial is not None and not commands.fits_initial(exchange.name, initial):
        initial = None
    answer = session.start(commands.auth(exchange.name, initial))
    return await answer_challenges(session, session.connection, exchange, answer, initial=initial)


def _check(session: Session, host: str, done: CommandDone) -> None:
    if not done.status.is_ok:
        raise refusals.login_refusal(done.status, host=host, caps=session.caps)
