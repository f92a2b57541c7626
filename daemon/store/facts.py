"""Signatures; bodies follow."""
from __future__ import annotations
from daemon.model.ids import AccountId

class FactRoom:
    async def get(self, account: AccountId | None, key: str) -> str | None: ...
    async def set(self, account: AccountId | None, key: str, value: str | None) -> None: ...
