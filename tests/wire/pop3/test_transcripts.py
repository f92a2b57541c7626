"""Whole sessions, at any split of the bytes."""

import pytest

from daemon.model.secret import Secret
from daemon.wire.pop3 import commands
from daemon.wire.pop3.events import Challenge, CommandDone, Greeting, MessageBegin, MessageData
from daemon.wire.pop3.limits import Limits
from daemon.wire.pop3.responses import DropStat, SizeLines, Streamed, UidlLines
from daemon.wire.pop3.states import Kind, State

PLAIN = b"AGFkYQBsb3ZlbGFjZQ=="


def submit(*wanted):
    return lambda c: [c.submit(command) for command in wanted]


SESSION = [
    submit(commands.capa()),
    submit(commands.user("mrose")),
    submit(commands.password(Secret("secret"))),
    submit(commands.stat(), commands.list_uidls(), commands.list_sizes()),
    submit(commands.retr(1), commands.retr(2), commands.retr(3)),
    submit(commands.top(1, 0)),
    submit(commands.dele(1), commands.dele(2)),
    submit(commands.rset()),
    submit(commands.noop()),
    submit(commands.leave()),
]
STLS = [
    submit(commands.stls()),
    lambda c: c.tls_started() or c.submit(commands.capa()),
    submit(commands.auth("PLAIN", PLAIN)),
    submit(commands.auth("PLAIN")),
    lambda c: c.answer_challenge(PLAIN),
    submit(commands.auth("PLAIN")),
    lambda c: c.answer_challenge(PLAIN),
    submit(commands.leave()),
]
ODDITIES = [
    submit(commands.capa()),
    submit(commands.user("a")),
    submit(commands.password(Secret("b"))),
    submit(commands.stat()),
    submit(commands.list_uidls()),
    submit(commands.list_sizes()),
    submit(commands.list_sizes(4)),
    submit(commands.list_uidls(4)),
    submit(commands.retr(1)),
    submit(commands.retr(2)),
    submit(commands.retr(3)),
    submit(commands.noop()),
]
TRANSCRIPTS = {"pop3-session": SESSION, "pop3-stls": STLS, "pop3-oddities": ODDITIES}


def done(events, kind):
    return [event for event in events if isinstance(event, CommandDone) and event.sent.command.kind is kind]


@pytest.mark.parametrize("name", TRANSCRIPTS)
@pytest.mark.parametrize("gathered_message_bytes", [1 << 20, 4])
def test_events_do_not_depend_on_how_bytes_are_split(play_transcript, cuts, name, gathered_message_bytes):
    limits = Limits(gathered_message_bytes=gathered_message_bytes)
    first, *others = (play_transcript(name, TRANSCRIPTS[name], cut, limits=limits)[0] for cut in cuts)
    assert len(first) > 5
    for other in others:
        assert other == first


def test_whole_session_gives_what_the_server_said(play_transcript):
    events, connection = play_transcript("pop3-session", SESSION)
    assert connection.state is State.UPDATE
    assert connection.capabilities.implementation == "Shlemazle Plotz v302"
    assert isinstance(events[0], Greeting)
    assert done(events, Kind.STAT)[0].result == DropStat(2, 320)
    assert UidlLines([(1, "whqtswO00WBw418f9t5JxYwZ"), (2, "QhdPYR:00WBw1Ph7x7")]) in events
    assert SizeLines([(1, 120), (2, 200)]) in events
    first, second, third = done(events, Kind.RETR)
    assert first.result == b"Subject: dots\r\n\r\n. one at the start\r\n.. two\r\nnot. here.\r\n.\r\n"
    assert second.result == b".at once\r\n"
    assert (third.status.is_ok, third.status.code, third.result) == (False, "SYS/TEMP", None)
    assert done(events, Kind.TOP)[0].result == b"Subject: dots\r\n\r\n"
    assert [one.status.is_ok for one in done(events, Kind.DELE)] == [True, False]


def test_large_messages_leave_as_events(play_transcript):
    events, _ = play_transcript("pop3-session", SESSION, limits=Limits(gathered_message_bytes=20))
    begin = next(at for at, event in enumerate(events) if isinstance(event, MessageBegin))
    data, end = events[begin + 1 : begin + 3]
    assert isinstance(data, MessageData)
    assert end.result == Streamed(len(data.data))
    assert data.data.startswith(b"Subject: dots\r\n\r\n. one")


def test_stls_forgets_capabilities_and_auth_is_answered(play_transcript):
    events, connection = play_transcript("pop3-stls", STLS)
    assert connection.capabilities.sasl_mechanisms == {"PLAIN", "XOAUTH2"}
    assert [event.data for event in events if isinstance(event, Challenge)] == [b"", b""]
    assert [one.status.code for one in done(events, Kind.AUTH)] == ["AUTH", "LOGIN-DELAY", None]
    assert connection.state is State.UPDATE
    assert not done(events, Kind.QUIT)[0].status.is_ok


def test_oddities_of_servers_are_tolerated(play_transcript):
    """P4, P5 and P8."""
    events, connection = play_transcript("pop3-oddities", ODDITIES)
    assert not connection.capabilities
    assert done(events, Kind.STAT)[0].result == DropStat(4, None)
    uidls = dict(next(event for event in events if isinstance(event, UidlLines)).entries)
    assert uidls[1] == "two-spaces"
    assert uidls[2] is None
    assert uidls[3].startswith("sha256:")
    assert uidls[4] == "../../etc/passwd"
    assert uidls[5].startswith("sha256:")
    assert set(uidls) == {1, 2, 3, 4, 5}
    sizes = next(event for event in events if isinstance(event, SizeLines)).entries
    assert sizes == [(1, 100), (2, None), (3, None), (4, 17), (5, None)]
    lax, strict, empty = (one.result for one in done(events, Kind.RETR))
    assert lax == b"From: somebody\n\n.stuffed\ntext\n"
    assert strict == (
        b"Subject: CRLF server\r\n\r\na bare LF, and then a line that looks like an end\n.\r\n+OK forged\r\n"
        b".one dot more\r\n.\n..kept as sent\r\n"
    )
    assert empty == b""
