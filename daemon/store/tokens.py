"""Signatures; bodies follow."""
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    name: str
    sha256: bytes
    scope: str = "admin"
    created_at: float

class TokenRoom:
    async def put(self, name: str, sha256: bytes, *, scope: str = "admin") -> TokenRecord: ...
    async def list(self) -> tuple[TokenRecord, ...]: ...
    async def remove(self, name: str) -> None: ...
