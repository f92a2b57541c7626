"""Raw deflate both ways, garbage told from it, and growth without reason stopped early."""

import random
import zlib

import pytest

from daemon.model.errors import ConnectionLost
from daemon.net.deflate import BOMB_WINDOW_BYTES, PIECE_BYTES, Deflate


def read_all(deflate: Deflate) -> bytes:
    return b"".join(iter(deflate.read, b""))


def packed(plain: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(plain) + packer.flush(mode)


def test_each_side_reads_what_the_other_packs_at_any_split():
    here, there = Deflate(), Deflate()
    chance = random.Random(7)
    for _ in range(20):
        plain = chance.randbytes(chance.randrange(1, 5000)) * 3
        wire = here.pack(plain)
        got = b""
        at = 0
        while at < len(wire):
            size = chance.choice((1, 7, 1000))
            there.feed(memoryview(wire)[at : at + size])
            got += read_all(there)
            at += size
        assert got == plain


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_nothing_is_left_inside_when_a_piece_is_exactly_full(size):
    plain = random.Random(size).randbytes(size)
    deflate = Deflate()
    deflate.feed(memoryview(packed(plain)))
    assert read_all(deflate) == plain


def test_pieces_are_small_however_much_came_at_once():
    deflate = Deflate()
    deflate.feed(memoryview(packed(b"x" * 5_000_000)))
    assert max(map(len, iter(deflate.read, b""))) <= PIECE_BYTES


@pytest.mark.parametrize(
    "garbage",
    [b"A1 OK done\r\n" * 10, b"\xff" * 50, zlib.compress(b"with a header"), packed(b"over", zlib.Z_FINISH)],
    ids=["text", "noise", "zlib header", "ended"],
)
def test_what_is_not_deflate_is_told(garbage):
    """S29."""
    deflate = Deflate()
    deflate.feed(memoryview(garbage))
    with pytest.raises(ConnectionLost) as caught:
        read_all(deflate)
    assert caught.value.reason == "compress_broken"


def test_bomb_is_stopped_within_its_window():
    deflate = Deflate()
    deflate.feed(memoryview(packed(b"\0" * (200 << 20))))
    taken = 0
    with pytest.raises(ConnectionLost) as caught:
        while piece := deflate.read():
            taken += len(piece)
    assert caught.value.reason == "compress_broken"
    assert taken <= BOMB_WINDOW_BYTES


def test_mail_that_compresses_well_is_no_bomb():
    line = b"".join(b"%d: the same words in every line of a log\r\n" % number for number in range(2000))
    plain = line * (3 * BOMB_WINDOW_BYTES // len(line))
    deflate = Deflate()
    deflate.feed(memoryview(packed(plain)))
    assert sum(map(len, iter(deflate.read, b""))) == len(plain)
