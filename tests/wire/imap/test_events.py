from typing import get_args

from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import FetchData, Greeting, Untagged


def test_every_untagged_response_is_an_event():
    assert set(get_args(Untagged)) < set(get_args(Event))
    assert {FetchData, Greeting} < set(get_args(Event))
