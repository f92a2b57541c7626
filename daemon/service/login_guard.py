"""The login guard: never more attempts than a server forgives, counted over restarts.

Three refused logins in all, then none until the secret changes or a person says reconnect or resume (S5). What is
kept to notice a change is a salted scrypt of the secret, never the secret. How long a server asked for patience is
kept here too, so that a restart does not forget it (S3).
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Final

from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.model.secret import Secret
from daemon.store.store import Store

_REFUSALS_KEY: Final = "login.refusals"
_THROTTLED_KEY: Final = "login.throttled_until"
_SCRYPT_COST: Final = 2**14  # 16 MiB and some 40 ms: the digest lies in a database that is backed up


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How often one secret was refused, with the server's last words."""

    count: int
    salt: str
    digest: str
    detail: str


class LoginGuard:
    """One account's refused logins and promises to wait."""

    def __init__(self, *, store: Store, account: AccountId, clock: Clock, attempts: int) -> None:
        self._store = store
        self._account = account
        self._clock = clock
        self._attempts = attempts
        self._is_counted = False

    async def is_spent(self, secret: Secret) -> bool:
        """Whether this secret has been refused as often as is allowed."""
        refusals = await self._load()
        return (
            refusals is not None
            and refusals.count >= self._attempts
            and await self._is_same(refusals, secret)
        )

    async def last_words(self) -> str | None:
        """What the server said at the last refusal."""
        refusals = await self._load()
        return None if refusals is None else refusals.detail

    async def begin(self, secret: Secret) -> None:
        """An attempt is about to be sent. A secret that was refused before is counted now, before the act.

        The first attempt with a secret is counted when it was refused: it would cost every ordinary login a commit.
        """
        refusals = await self._load()
        self._is_counted = refusals is not None and await self._is_same(refusals, secret)
        if refusals is not None and self._is_counted:
            await self._save(replace(refusals, count=refusals.count + 1))

    async def take_back(self) -> None:
        """The attempt that was begun did not get as far as an answer about the secret."""
        refusals = await self._load()
        if refusals is not None and self._is_counted:
            await self._save(replace(refusals, count=refusals.count - 1))
        self._is_counted = False

    async def count_refusal(self, secret: Secret, detail: str) -> bool:
        """Whether attempts are left after the one that was begun was refused; durable before this returns."""
        refusals = await self._load()
        if refusals is None or not self._is_counted:
            salt = secrets.token_hex(16)
            digest = await self._digest(secret, salt)
            refusals = Refusals(count=1, salt=salt, digest=digest, detail=detail)
        self._is_counted = False
        await self._save(replace(refusals, detail=detail))
        return refusals.count < self._attempts

    async def forget_refusals(self) -> None:
        """A login succeeded, or a person wants it tried again."""
        if await self._store.facts.get(self._account, _REFUSALS_KEY) is not None:
            await self._store.facts.set(self._account, _REFUSALS_KEY, None)

    async def throttled_seconds(self, cap_seconds: float) -> float:
        """How long the server's request for patience still holds; 0.0 for not at all.

        Never more than `cap_seconds`, whatever the wall clock has done meanwhile.
        """
        text = await self._store.facts.get(self._account, _THROTTLED_KEY)
        return 0.0 if text is None else min(cap_seconds, max(0.0, float(text) - self._clock.now()))

    async def keep_throttle(self, until: float | None) -> None:
        """Remember until when to be patient; None when it is over."""
        text = None if until is None else str(until)
        if text is not None or await self._store.facts.get(self._account, _THROTTLED_KEY) is not None:
            await self._store.facts.set(self._account, _THROTTLED_KEY, text)

    async def _load(self) -> Refusals | None:
        text = await self._store.facts.get(self._account, _REFUSALS_KEY)
        return None if text is None else Refusals(**json.loads(text))

    async def _save(self, refusals: Refusals) -> None:
        await self._store.facts.set(self._account, _REFUSALS_KEY, json.dumps(asdict(refusals)))

    async def _is_same(self, refusals: Refusals, secret: Secret) -> bool:
        return hmac.compare_digest(refusals.digest, await self._digest(secret, refusals.salt))

    async def _digest(self, secret: Secret, salt: str) -> str:
        digest: str = await self._store.run_in("files", scrypt_of, secret, salt)
        return digest


def scrypt_of(secret: Secret, salt: str) -> str:
    """Hex of the salted scrypt; blocking, some 40 ms."""
    return hashlib.scrypt(
        secret.reveal().encode(), salt=salt.encode(), n=_SCRYPT_COST, r=8, p=1, dklen=32
    ).hex()
