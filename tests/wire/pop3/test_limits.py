from daemon.wire.pop3.limits import DEFAULT_LIMITS, MIB


def test_limits_are_those_of_the_sync_rules():
    """sync.md 23; P4, P5, P8, P14."""
    assert DEFAULT_LIMITS.status_line_bytes == 64 * 1024
    assert DEFAULT_LIMITS.listing_count == 1_000_000
    assert DEFAULT_LIMITS.gathered_message_bytes == MIB
    assert DEFAULT_LIMITS.max_message_bytes < 2**32 - 1
    assert DEFAULT_LIMITS.listing_line_bytes > 512
