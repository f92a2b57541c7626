from daemon.wire.imap.limits import DEFAULT_LIMITS, MIB


def test_limits_are_those_of_the_sync_rules():
    """sync.md 23; S15 and S18."""
    assert DEFAULT_LIMITS.status_line_bytes == 64 * 1024
    assert DEFAULT_LIMITS.data_line_bytes == MIB
    assert DEFAULT_LIMITS.number_line_bytes == 16 * MIB
    assert DEFAULT_LIMITS.nesting_depth == 64
    assert DEFAULT_LIMITS.gathered_literal_bytes == MIB
    assert DEFAULT_LIMITS.max_literal_bytes < 2**32 - 1
