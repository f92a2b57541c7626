import pytest

from daemon.model.errors import LocalProtocolError
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.commands import FetchItem
from daemon.wire.imap.outbox import JOINED_BYTES, LiteralWanted, Outbox


def make(capabilities=(), max_in_flight=25):
    outbox = Outbox(max_in_flight=max_in_flight, tag_prefix="K")
    outbox.capabilities = Capabilities(capabilities)
    return outbox


def test_tags_are_a_letter_and_digits():
    """QUIRK 163.com (libetpan): tags of letter and digits."""
    outbox = make()
    assert [outbox.put(commands.noop()).tag for _ in range(3)] == [b"K1", b"K2", b"K3"]
    assert outbox.take() == [b"K1 NOOP\r\nK2 NOOP\r\nK3 NOOP\r\n"]
    assert outbox.take() == []


def test_two_literals_in_one_command_each_wait():
    outbox = make()
    outbox.put(commands.rename(b"\xff", b"\xfe"))
    assert outbox.take() == [b"K1 RENAME {1}\r\n"]
    assert outbox.awaits_plus
    outbox.continue_literal()
    assert outbox.take() == [b"\xff {1}\r\n"]
    outbox.continue_literal()
    assert outbox.take() == [b"\xfe\r\n"]
    assert not outbox.awaits_plus


def test_two_literals_at_once_with_literal_plus():
    outbox = make(["LITERAL+"])
    outbox.put(commands.rename(b"\xff", b"\xfe"))
    assert outbox.take() == [b"K1 RENAME {1+}\r\n\xff {1+}\r\n\xfe\r\n"]


def test_next_command_waits_for_the_literal_before_it():
    outbox = make()
    first = outbox.put(commands.append(b"a", b"hello"))
    outbox.put(commands.noop())
    assert outbox.take() == [b"K1 APPEND a {5}\r\n"]
    assert outbox.answered(first.tag) is first
    outbox.pump()
    assert outbox.take() == [b"K2 NOOP\r\n"]


def test_large_chunks_are_not_copied_together():
    outbox = make(["LITERAL+"])
    octets = b"x" * JOINED_BYTES
    outbox.put(commands.append(b"a", octets))
    assert any(chunk is octets for chunk in outbox.take())


def test_slot_takes_exactly_its_size():
    outbox = make(["LITERAL+"])
    sent = outbox.put(commands.append(b"a", 3))
    assert outbox.wanted_literal == LiteralWanted(sent, 3)
    outbox.fill(b"ab")
    with pytest.raises(LocalProtocolError):
        outbox.fill(b"cd")
    outbox.fill(b"c")
    assert outbox.wanted_literal is None
    with pytest.raises(LocalProtocolError):
        outbox.fill(b"d")


def test_window_holds_commands_back_in_order():
    outbox = make(max_in_flight=2)
    sent = [outbox.put(commands.uid_fetch(UidSet([uid]), [FetchItem.UID])) for uid in (1, 2, 3, 4)]
    assert list(outbox.in_flight) == [sent[0].tag, sent[1].tag]
    outbox.answered(sent[1].tag)
    outbox.pump()
    assert list(outbox.in_flight) == [sent[0].tag, sent[2].tag]
    assert [waiting.tag for waiting in outbox.waiting] == [sent[3].tag]


def test_unknown_tag_is_none():
    assert make().answered(b"K9") is None
