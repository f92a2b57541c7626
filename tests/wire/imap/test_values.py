from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.model.flags import SEEN, Flag
from daemon.model.uidset import UidSet
from daemon.wire.imap import values


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"0", 0),
        (b"12", 12),
        (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775808", None),
        (b"9" * 5000, None),
        (b"-1", None),
        (b"9.3736e+06", 9373600),
        (b"1E3", 1000),
        (b"1e99", None),
    ],
)
def test_numbers_that_servers_write(raw, number):
    assert values.parse_number(raw) == number


@pytest.mark.parametrize("raw", [b"", b"x", b"1x", b"+1", b" 1", b"1_0", b"--1", b"1.5", b"0x1", b"\xb2"])
def test_what_is_no_number_is_a_protocol_error(raw):
    with pytest.raises(RemoteProtocolError):
        values.parse_number(raw)


def test_zero_and_oversize_uids_are_none():
    assert values.parse_uint32(b"0") is None
    assert values.parse_uint32(b"4294967295") == 4294967295
    assert values.parse_uint32(b"4294967296") is None
    assert values.parse_nonzero(b"0") is None


def test_required_number_out_of_range_is_a_protocol_error():
    assert values.require_number(b"7") == 7
    with pytest.raises(RemoteProtocolError):
        values.require_number(b"-7")


@given(st.integers(-62135510400, 253402128000), st.integers(-14 * 60, 14 * 60))
def test_dates_are_read_in_their_zone(seconds, minutes):
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    when = when.astimezone(timezone(timedelta(minutes=minutes)))
    month = when.strftime("%b")
    text = f"{when.day:2d}-{month}-{when.year:04d} {when:%H:%M:%S %z}"
    assert values.parse_internal_date(text.encode()) == seconds


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"00-Jan-0000 00:00:00 +0000",
        b"31-Feb-2001 00:00:00 +0000",
        b"01-Foo-2001 00:00:00 +0000",
        b"01-Jan-2001 24:00:00 +0000",
        b"01-Jan-2001 00:60:00 +0000",
        b"01-Jan-2001 00:00:61 +0000",
        b"2001-01-01T00:00:00Z",
    ],
)
def test_invalid_date_is_none(raw):
    assert values.parse_internal_date(raw) is None


def test_leap_second_and_missing_zone_are_taken():
    assert values.parse_internal_date(b"31-Dec-2016 23:59:60 +0000") == 1483228800
    assert values.parse_internal_date(b"1-jan-1970 0:00:07") == 7


def test_flags_are_normalised_and_odd_bytes_kept():
    assert values.parse_flags(b"\\SEEN \\Recent caf\xe9") == {SEEN, Flag("caf\\xe9")}
    assert values.parse_flags(b"") == frozenset()


def test_uid_set_is_read_or_refused_with_its_reason():
    assert values.parse_uid_set(b"3:1,7") == UidSet([1, 2, 3, 7])
    for raw in (
        b"",
        b"1:2:3",
        b":1",
        b"1:",
        b"+1",
        b"*",
        b"1:*",
        b"0",
        b"1,,2",
        b"a",
        b"\xff",
        b"4294967296",
        b"9" * 5000,
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            values.parse_uid_set(raw, reason="qresync_malformed")
        assert caught.value.reason == "qresync_malformed"


@given(st.binary(max_size=600))
def test_printable_has_no_controls_and_is_bounded(raw):
    text = values.printable(raw)
    assert len(text) <= 512
    assert not any(ord(char) < 32 or 0x7F <= ord(char) <= 0x9F for char in text)


def test_printable_escapes_direction_marks():
    assert values.printable("a\u202eb\r\n".encode()) == "a\\u202eb\\u000d\\u000a"
