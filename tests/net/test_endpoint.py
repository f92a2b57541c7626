"""Which addresses can only be this machine."""

import pytest

from daemon.net.endpoint import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::1%lo", "::ffff:127.0.0.1"])
def test_loopback(address):
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:10.0.0.1", "localhost", "", "127.1"]
)
def test_everything_else(address):
    assert not is_loopback(address)
