"""Where to listen, as text and as values."""

from pathlib import Path

import pytest

from api.addresses import TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8420", TcpAddress("127.0.0.1", 8420)),
        ("localhost:0", TcpAddress("127.0.0.1", 0)),
        ("[::1]:8420", TcpAddress("::1", 8420)),
        ("0.0.0.0:65535", TcpAddress("0.0.0.0", 65535)),
        ("unix:/run/x/api.sock", UnixAddress(Path("/run/x/api.sock"))),
    ],
)
def test_address_is_parsed(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8420",
        ":8420",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:1e3",
        "::1:8420",
        "[127.0.0.1]:8420",
        "[::1%lo]:1",
        "example.com:8420",
        "http://127.0.0.1:8420",
        "127.1:8420",
        "2130706433:8420",
        "unix:relative",
        "unix:/" + "x" * 107,
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize("text", ["127.0.0.1:1", "[::1]:1", "127.0.0.1:0", "unix:/run/x"])
def test_address_is_written_as_it_was_read(text):
    assert str(parse_address(text)) == text


def test_only_loopback_counts_as_loopback():
    assert TcpAddress("127.9.9.9", 1).is_loopback
    assert TcpAddress("::1", 1).is_loopback
    assert not TcpAddress("0.0.0.0", 1).is_loopback
    assert not TcpAddress("::", 1).is_loopback
    assert not TcpAddress("192.168.1.5", 1).is_loopback
