"""The contract is kept by those who stand above a line."""

from daemon.net.deadlines import DEFAULT_TIMERS
from daemon.net.imap.session import Session
from daemon.net.receiver import Receiver
from daemon.wire.imap import quirks


def test_imap_session_takes_what_a_line_brings():
    session: Receiver = Session(DEFAULT_TIMERS, quirks.profile())
    session.receive(memoryview(b"* OK half a gree"))
    assert session.is_inside_unit
