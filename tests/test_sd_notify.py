"""daemon.sd_notify: words to the service manager, and silence where there is none."""

import os
import socket

import pytest

from daemon.sd_notify import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """The manager's socket and the address it goes by."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@mailsyncd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address.replace("@", "\0"))
        sock.settimeout(5)
        yield sock, address


def test_states_are_told(manager):
    sock, address = manager
    told = ServiceManager({"NOTIFY_SOCKET": address})
    told.ready("2 accounts\nREADY=0")
    told.alive()
    told.stopping()
    assert [sock.recv(4096).decode() for _ in range(3)] == [
        "READY=1\nSTATUS=2 accounts READY=0",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=Stopping",
    ]


@pytest.mark.parametrize("env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_manager_nothing_happens(env):
    ServiceManager(env).ready("x")


def test_manager_that_does_not_read_never_holds_us_up(manager):
    _, address = manager
    told = ServiceManager({"NOTIFY_SOCKET": address})
    for _ in range(2000):
        told.alive()


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_watchdog_counts_for_the_process_it_names(env, seconds):
    assert ServiceManager({"NOTIFY_SOCKET": "/run/x", **env}).watchdog_seconds == seconds
    assert ServiceManager(env).watchdog_seconds is None
