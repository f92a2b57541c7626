"""TLS without a transport: records in, octets out, over `ssl.MemoryBIO`; and the contexts that decide whom to trust.

asyncio's own TLS holds 285 KiB per idle connection and lets plaintext sent before STARTTLS through; this pump holds
28 KiB and starts with an empty reader. It never touches a socket and raises what `ssl` raises. Verification is always
on; the least version is TLS 1.2 (RFC 8314 §4.1, RFC 8996).
"""

import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from daemon.model.errors import TlsFailed
from daemon.net import threads

RECORD_ROOM: Final = 32 * 1024
"""More than one record of plaintext (RFC 8446 §5.1: 16 KiB), so a slice and a record left over always fit."""

_FEED_BYTES: Final = (
    64 * 1024
)  # a MemoryBIO never gives memory back, so it is never fed more than this at once

_contexts: dict[tuple[Path | None, int], ssl.SSLContext] = {}


async def load_context(ca_file: Path | None) -> ssl.SSLContext:
    """The context for these authorities, shared by all lines that trust them (half a megabyte and 20 ms each).

    A `ca_file` that changed on disk is read again. Raises TlsFailed(tls_untrusted) if it cannot be used.
    """
    try:
        return await threads.DIAL_THREADS.run(lambda: _load(ca_file))
    except (OSError, ssl.SSLError) as exc:
        raise TlsFailed(
            f"the certificate file {ca_file} cannot be used: {getattr(exc, 'strerror', None) or exc}",
            reason="tls_untrusted",
            remedy="set ca_file to a readable PEM file of certificate authorities",
        ) from exc


def _load(ca_file: Path | None) -> ssl.SSLContext:
    key = (ca_file, ca_file.stat().st_mtime_ns if ca_file else 0)
    known = _contexts.get(key)
    if known is None:
        for old in [one for one in _contexts if one[0] == ca_file]:
            del _contexts[old]
        known = _contexts[key] = make_context(ca_file)
    return known


def make_context(ca_file: Path | None) -> ssl.SSLContext:
    """A client context that verifies chain and name. Reads files: not for the event loop."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_TRUSTED_FIRST
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cafile=ca_file)
    return context


class TlsPump:
    """One TLS session. Call `shake` until it is done, then `decrypt` and `encrypt`; `take` has what must be sent."""

    __slots__ = ("_incoming", "_outgoing", "_read_into", "_unsent", "is_closed", "tls")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._unsent: deque[bytes] = deque()
        self.is_closed = False
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        # With a buffer, `read` fills any writable one and returns a count; its stub knows only bytearray and bytes.
        self._read_into = cast("Callable[[int, memoryview], int]", self.tls.read)

    def feed(self, cipher: memoryview) -> None:
        """Take handshake octets; `shake` goes on with them."""
        self._incoming.write(cipher)

    def shake(self) -> bool:
        """Whether the handshake is complete and the peer's certificate verified; raises ssl.SSLError."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def decrypt(self, cipher: memoryview, plain: memoryview) -> int:
        """Write the plaintext of `cipher` into `plain` and return its length; sets `is_closed` at close_notify.

        `plain` must have `len(cipher) + RECORD_ROOM` octets of room. Raises ssl.SSLError for a record that is not
        authentic.
        """
        filled = 0
        for start in range(0, len(cipher) or 1, _FEED_BYTES):
            self._incoming.write(cipher[start : start + _FEED_BYTES])
            try:
                while True:
                    count = self._read_into(len(plain) - filled, plain[filled:])
                    if not count:
                        self.is_closed = True
                        return filled
                    filled += count
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLZeroReturnError:
                self.is_closed = True
                return filled
        if self._unsent:
            self._encrypt_unsent()
        return filled

    def encrypt(self, plain: bytes) -> None:
        """Queue plaintext; `take` has its records."""
        self._unsent.append(plain)
        self._encrypt_unsent()

    def _encrypt_unsent(self) -> None:
        while self._unsent:
            try:
                self.tls.write(self._unsent[0])
            except ssl.SSLWantReadError:
                return  # a message of the session itself comes first; the next `decrypt` goes on here
            self._unsent.popleft()

    def say_goodbye(self) -> None:
        """Queue close_notify; the peer's own is not waited for."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            return

    def take(self) -> bytes:
        """Records that must be sent now, all of them; empty if there are none."""
        return self._outgoing.read()
