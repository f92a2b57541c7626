"""Deflate in both directions, without a transport: raw DEFLATE as RFC 4978 wants it, flushed at every write.

What is inflated comes out in pieces, so a reader may stop between any two and the rest stays small. A stream that is not
deflate, that ends, or that grows beyond all reason is ConnectionLost(compress_broken): whoever connects next does
without (faults.md S29).
"""

import zlib
from typing import Final

from daemon.model.errors import ConnectionLost

PIECE_BYTES: Final = 256 * 1024
BOMB_RATIO: Final = 200
"""Deflate can grow a thousandfold, mail a few times; a long run beyond this is an attack, or a mailbox of zeros."""

BOMB_WINDOW_BYTES: Final = 16 * 1024 * 1024
_RAW: Final = -zlib.MAX_WBITS
# Half the memory of zlib's defaults eight times over (32 KiB): what we send is short lines and mail already encoded.
_OUT_BITS: Final = -12
_OUT_MEMORY: Final = 5


class Deflate:
    """One line's two streams: `pack` what goes out, `feed` what comes in and `read` it until that is empty."""

    __slots__ = ("_given", "_inflate", "_input", "_is_full", "_packer", "_taken")

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=_OUT_BITS, memLevel=_OUT_MEMORY)
        self._inflate = zlib.decompressobj(_RAW)
        self._input = b""
        self._is_full = False
        self._taken = self._given = 0

    def pack(self, plain: bytes) -> bytes:
        """The octets to send for these, complete: the server can read them without waiting for more."""
        return self._packer.compress(plain) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def feed(self, deflated: memoryview) -> None:
        """Take octets as they came."""
        self._input += deflated

    def read(self) -> bytes:
        """The next piece of plaintext, at most `PIECE_BYTES`; empty when more must come first.

        Raises:
            ConnectionLost: reason compress_broken.
        """
        if not self._input and not self._is_full:
            return b""
        before = len(self._input)
        try:
            piece = self._inflate.decompress(self._input, PIECE_BYTES)
        except zlib.error as exc:
            raise _broken("what the server sends is not compressed as agreed") from exc
        if self._inflate.eof:
            raise _broken("the server has ended the compressed stream")
        self._input = self._inflate.unconsumed_tail
        self._is_full = len(piece) == PIECE_BYTES
        self._taken += before - len(self._input)
        self._given += len(piece)
        if self._given >= BOMB_WINDOW_BYTES:
            if self._taken * BOMB_RATIO < self._given:
                raise _broken("what the server sends grows beyond all reason when it is decompressed")
            self._taken = self._given = 0
        return piece


def _broken(detail: str) -> ConnectionLost:
    return ConnectionLost(
        detail, reason="compress_broken", remedy="the next connection to this server does without compression"
    )
