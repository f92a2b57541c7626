"""Transcripts of conversations: `C:` what we send, `S:` what the server sends, and ways to cut what is fed."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts"
Cut = Callable[[bytes], Iterator[bytes]]


def read_transcript(name: str) -> list[tuple[str, bytes]]:
    """Blocks of one side. `s:` is a line that ends in LF alone; `\\xNN` is one byte; `#` starts a remark.

    `[n octets]` behind a line that announces a literal stands for its octets, as a trace leaves them out.
    """
    blocks: list[tuple[str, bytes]] = []
    for line in (TRANSCRIPTS / f"{name}.txt").read_text("ascii").splitlines():
        side, text = line[:2], line[3:]
        if side not in ("C:", "S:", "s:"):
            assert line == "" or line.startswith("#"), line
            continue
        left_out = re.match(r"\[(\d+) octets\]", text)
        if left_out and blocks and re.search(rb"\{%b\+?\}\r\n\Z" % left_out[1].encode(), blocks[-1][1]):
            text = "x" * int(left_out[1]) + text[left_out.end() :]
        octets = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
        octets += b"\n" if side == "s:" else b"\r\n"
        if blocks and blocks[-1][0] == side.upper():
            blocks[-1] = (side.upper(), blocks[-1][1] + octets)
        else:
            blocks.append((side.upper(), octets))
    return blocks


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def bytewise(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[at : at + 1]


def at_random(seed: int) -> Cut:
    chance = random.Random(seed)

    def cut(data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            size = chance.choice((1, 2, 3, 7, 20, 200))
            yield data[at : at + size]
            at += size

    return cut


def all_cuts() -> list[Cut]:
    """Whole, byte by byte, and at random splits."""
    return [whole, bytewise, *(at_random(seed) for seed in range(25))]
