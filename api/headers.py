"""Response headers that every answer carries.

Nothing of mail is cached, sniffed, framed or run by a browser; no header of ours allows another site anything (there
is no CORS). The product's name is told, its version only to those who may read the status.
"""

from typing import Final

from aiohttp import web
from multidict import CIMultiDict

SERVER: Final = "mailsyncd"
ALWAYS: Final = {
    "Server": SERVER,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def put_on(headers: CIMultiDict[str]) -> None:
    """Set what every answer carries, over what was there."""
    for name, value in ALWAYS.items():
        headers[name] = value


async def on_prepare(_request: web.Request, response: web.StreamResponse) -> None:
    """The signal that runs before any head is written, streams included."""
    put_on(response.headers)
