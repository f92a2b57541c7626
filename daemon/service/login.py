"""Logging in: secret, connection, authentication, in this order and within every limit.

No more handshakes at once than the gate allows, no more logins than the bucket allows, no attempt with a secret that
was refused often enough. Used by the service and by a single pass alike.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Generic, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import AuthenticationFailed
from daemon.model.secret import Secret
from daemon.model.settings import AccountSettings
from daemon.service.backoff import TokenBucket
from daemon.service.gate import Gate
from daemon.service.login_guard import LoginGuard
from daemon.service.pulse import Pulse
from daemon.service.verdicts import LoginSpent


class Line(Protocol):
    """A line to a server, of whatever protocol, on which one can log in."""

    async def authenticate(self, username: str, secret: Secret, /) -> None: ...

    def abort(self) -> None: ...


LineT = TypeVar("LineT", bound=Line)
LineT_co = TypeVar("LineT_co", bound=Line, covariant=True)


class Connect(Protocol[LineT_co]):
    """Opens a line to an account's server; nobody is logged in yet."""

    async def __call__(
        self, settings: AccountSettings, log: FilteringBoundLogger, /, *, distrust: Collection[str]
    ) -> LineT_co:
        """The line, on which `distrust` are capabilities not to be believed."""
        ...


ReadPassword = Callable[[AccountSettings], Awaitable[Secret]]


class Login(Generic[LineT]):
    """The way in to one account."""

    def __init__(
        self,
        *,
        settings: AccountSettings,
        connect: Connect[LineT],
        read_password: ReadPassword,
        guard: LoginGuard,
        bucket: TokenBucket,
        gate: Gate,
        pulse: Pulse,
        deadline_seconds: float,
        log: FilteringBoundLogger,
        distrusted: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._read_password = read_password
        self._guard = guard
        self._bucket = bucket
        self._gate = gate
        self._pulse = pulse
        self._deadline = deadline_seconds
        self._log = log
        self._distrusted = distrusted

    async def log_in(self) -> LineT:
        """A client in authenticated state; its owner must log out or abort.

        Raises:
            LoginSpent: The secret was refused too often, just now or before; wait for a person.
            AuthenticationFailed: Refused, with the server's words; attempts are left.
            MailError: Anything else of connecting and reading the secret.
        """
        secret = await self._read_password(self._settings)
        if await self._guard.is_spent(secret):
            raise LoginSpent(await self._guard.last_words() or "the server did not accept the login")
        self._pulse.rest()  # waiting for one's turn is not being stuck
        async with self._gate.turn():
            self._pulse.expect(self._deadline)
            client = await self._connect(self._settings, self._log, distrust=self._distrusted())
            try:
                await self._authenticate(client, secret)
                await self._guard.forget_refusals()
            except BaseException:
                client.abort()
                raise
        return client

    async def _authenticate(self, client: LineT, secret: Secret) -> None:
        await self._guard.begin(secret)
        self._bucket.take()
        try:
            await client.authenticate(self._settings.username, secret)
        except AuthenticationFailed as exc:
            if exc.reason == "auth_unsupported":  # nothing was sent, so nothing was refused
                await self._guard.take_back()
                raise
            if await _to_its_end(self._guard.count_refusal(secret, str(exc))):
                raise
            raise LoginSpent(str(exc), reason=exc.reason, remedy=exc.remedy) from exc
        except asyncio.CancelledError:
            # The server may have refused it: an attempt too many counted is harmless, one too few locks someone out.
            words = "the login was interrupted before the server answered"
            await _to_its_end(self._guard.count_refusal(secret, words))
            raise
        except BaseException:
            await self._guard.take_back()
            raise


async def _to_its_end(note: Coroutine[None, None, bool]) -> bool:
    """What `note` returns. Cancelled meanwhile, it is still written before the cancellation goes on."""
    task = asyncio.create_task(note, name="login:note")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
