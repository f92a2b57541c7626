"""Memory does not follow the size of a message or their number: the gate's share of tests/benchmarks/memory.py."""

from collections.abc import Iterator

import pytest

from tests.support import corpus

LARGE_BYTES = 100_000_000
MOST_RISE_MIB = 40.0  # generous: the benchmark holds it to less


def large() -> Iterator[bytes]:
    line = b"0123456789" * 7 + b"\r\n"
    yield b"Subject: large\r\n\r\n" + line * (LARGE_BYTES // len(line))


@pytest.mark.slow
async def test_message_of_100_mb_does_not_raise_the_peak_of_a_sync_by_40_mib(installation, mailbag):
    assert (
        await installation.call("sync")
    ).code == 0  # making the databases takes memory that later runs do not
    mailbag.fill("INBOX", corpus.messages(300))
    small, without = await installation.peak_of("sync")
    assert (small.code, small.out) == (0, "work: 300 downloaded\n")
    mailbag.fill("INBOX", large())
    large_one, with_large = await installation.peak_of("sync")
    assert (large_one.code, large_one.out) == (0, "work: 1 downloaded\n")
    assert max(path.stat().st_size for path in installation.files().values()) > LARGE_BYTES * 0.99
    print(f"peak: {without:.1f} MiB, with 100 MB: {with_large:.1f} MiB")
    assert with_large - without < MOST_RISE_MIB
