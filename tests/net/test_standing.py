"""The standing of a line is asked at any time, also when the line is gone."""

from daemon.model.errors import ConnectionLost
from daemon.net.deadlines import DEFAULT_TIMERS
from daemon.net.pop3.session import Session
from daemon.net.standing import LineStanding


class Counter:
    bytes_received = 7
    bytes_sent = 5


def test_octets_are_the_streams_and_loss_is_seen_at_once():
    session = Session(DEFAULT_TIMERS)
    session.attach(Counter())
    standing = LineStanding(session)
    assert (standing.bytes_received, standing.bytes_sent, standing.is_lost) == (7, 5, False)
    session.lose(ConnectionLost("gone"))
    assert standing.is_lost
    assert standing.bytes_received == 7
