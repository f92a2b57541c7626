"""What servers really send, each by its name: the value it must give, whole, byte by byte and at random splits."""

import random

import pytest

from daemon.model.errors import RemoteProtocolError
from daemon.model.flags import SEEN
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.commands import FetchItem
from daemon.wire.imap.responses import (
    Bye,
    CapabilityData,
    Code,
    CopyUidCode,
    Exists,
    FetchData,
    FlagsData,
    IdData,
    ListData,
    NumberCode,
    OtherData,
    SearchData,
    Status,
    StatusData,
    StatusLine,
    Vanished,
)

SEEN_7 = FetchData(seq=1, uid=7, flags=frozenset({SEEN}))
PLAIN_7 = FetchData(seq=1, uid=7, flags=frozenset())


def box(name: bytes = b"box") -> ListData:
    return ListData(wire_name=name, delimiter="/", attributes=frozenset())


def line(status: Status, code: Code | None, text: str = "x") -> StatusLine:
    return StatusLine(status=status, code=code, text=text)


def number(name: str, value: int | None) -> NumberCode:
    return NumberCode(name=name, argument=str(value or 0), number=value)


CASES = {
    "bare_lf_ends_a_line": (b"* 5 EXISTS\n* 1 FETCH (UID 7 FLAGS ())\n", [Exists(count=5), PLAIN_7]),
    "nul_before_a_response_is_padding": (b"\0\0* 5 EXISTS\r\n", [Exists(count=5)]),
    "nil_for_flags_is_none_set": (b"* 1 FETCH (UID 7 FLAGS NIL)\r\n", [PLAIN_7]),
    "nil_for_size_and_date_is_unknown": (
        b"* 1 FETCH (UID 7 FLAGS () RFC822.SIZE NIL INTERNALDATE NIL)\r\n",
        [PLAIN_7],
    ),
    "nil_for_a_body_is_no_body": (b"* 1 FETCH (UID 7 BODY[] NIL)\r\n", [FetchData(seq=1, uid=7)]),
    "nil_for_list_attributes_is_none": (b'* LIST NIL "/" box\r\n', [box()]),
    "nil_for_id_is_nobody": (b"* ID NIL\r\n", [IdData(fields={})]),
    "literal_for_a_flag": (b"* 1 FETCH (UID 7 FLAGS ({5}\r\n\\Seen))\r\n", [SEEN_7]),
    "literal_for_a_uid": (b"* 1 FETCH (UID {1}\r\n7 FLAGS (\\Seen))\r\n", [SEEN_7]),
    "literal_for_a_date": (
        b"* 1 FETCH (UID 7 INTERNALDATE {26}\r\n17-Jul-2019 02:44:25 +0000)\r\n",
        [FetchData(seq=1, uid=7, internal_date=1563331465)],
    ),
    "literal_for_a_name_of_status": (
        b"* STATUS {3}\r\nbox (MESSAGES 1)\r\n",
        [StatusData(wire_name=b"box", message_count=1)],
    ),
    "literal_in_the_list_of_flags": (
        b"* FLAGS ({5}\r\n\\Seen)\r\n",
        [FlagsData(flags=frozenset({SEEN}))],
    ),
    "literal8_for_a_body": (
        b"* 1 FETCH (UID 7 BODY[] ~{3}\r\na\0c)\r\n",
        [FetchData(seq=1, uid=7, body=b"a\0c")],
    ),
    "literal_short_by_a_line_end": (
        b"* 1 FETCH (UID 7 BODY[] {3}\r\nabc\r\n)\r\n",
        [FetchData(seq=1, uid=7, body=b"abc")],
    ),
    "unknown_responses_at_any_time": (
        b"* XFOO (bar {3}\r\nabc) baz\r\n* 7 XBAR\r\n* \r\n* 5\r\n",
        [
            OtherData(name="XFOO", raw="* XFOO (bar {3}"),
            OtherData(name="XBAR", raw="* 7 XBAR"),
            OtherData(name="", raw="* "),
            OtherData(name="", raw="* 5"),
        ],
    ),
    "untagged_data_in_any_order": (
        b"* SEARCH 1 2\r\n* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n* VANISHED 3\r\n* 5 EXISTS\r\n",
        [SearchData(uids=UidSet([1, 2])), SEEN_7, Vanished(uids=UidSet([3]), is_earlier=False), Exists(count=5)],
    ),
    "fetch_without_uid_names_nobody": (
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        [FetchData(seq=1, flags=frozenset({SEEN}))],
    ),
    "uid_0_names_nobody": (b"* 1 FETCH (UID 0 FLAGS ())\r\n", [FetchData(seq=1, flags=frozenset())]),
    "fetch_of_nothing": (b"* 1 FETCH ()\r\n", [FetchData(seq=1)]),
    "fetch_of_message_0": (b"* 0 FETCH (UID 7 FLAGS ())\r\n", [PLAIN_7._replace(seq=0)]),
    "exists_said_twice": (b"* 5 EXISTS\r\n* 5 EXISTS\r\n", [Exists(count=5), Exists(count=5)]),
    "bye_in_the_middle_is_told_once": (
        b"* 5 EXISTS\r\n* BYE enough\r\n* BYE enough\r\n* 6 EXISTS\r\n",
        [Exists(count=5), Bye(code=None, text="enough"), Exists(count=6)],
    ),
    "codes_in_odd_case": (
        b"* ok [uidnext 9] x\r\n* No [alert] x\r\n",
        [line(Status.OK, number("UIDNEXT", 9)), line(Status.NO, Code(name="ALERT", argument=""))],
    ),
    "words_in_odd_case": (
        b'* 1 fetch (uid 7 flags (\\SEEN))\r\n* 5 exists\r\n* list () "/" box\r\n* vanished (earlier) 5\r\n',
        [SEEN_7, Exists(count=5), box(), Vanished(uids=UidSet([5]), is_earlier=True)],
    ),
    "no_text_behind_a_code": (
        b"* OK [HIGHESTMODSEQ 5]\r\n",
        [line(Status.OK, number("HIGHESTMODSEQ", 5), "")],
    ),
    "code_without_ok": (
        b"* [COPYUID 1 2 3] x\r\n",
        [
            line(
                Status.OK,
                CopyUidCode(name="COPYUID", argument="1 2 3", uid_validity=1, source=(2,), target=(3,)),
            )
        ],
    ),
    "zero_where_a_number_is_due": (
        b"* OK [UIDNEXT 0] x\r\n* STATUS box (UIDNEXT 0 UIDVALIDITY 0)\r\n",
        [line(Status.OK, number("UIDNEXT", None)), StatusData(wire_name=b"box")],
    ),
    "trailing_spaces": (
        b"* SEARCH 1 \r\n* STATUS box (MESSAGES 1) \r\n* CAPABILITY IMAP4rev1 \r\n",
        [
            SearchData(uids=UidSet([1])),
            StatusData(wire_name=b"box", message_count=1),
            CapabilityData(capabilities=Capabilities(["IMAP4rev1"])),
        ],
    ),
    "brackets_in_flags": (
        b"* 1 FETCH (UID 7 FLAGS (a]b [c))\r\n",
        [PLAIN_7._replace(flags=frozenset({"a]b", "[c"}))],
    ),
    "quotes_in_a_quoted_name": (b'* LIST () "/" "a "b" c"\r\n', [box(b'a "b" c')]),
    "control_in_a_bare_name": (b'* LIST () "/" a\x01b\r\n', [box(b"a\x01b")]),
    "number_as_a_float": (
        b"* 1 FETCH (UID 7 RFC822.SIZE 9.3736e+06)\r\n",
        [FetchData(seq=1, uid=7, size=9373600)],
    ),
    "negative_modseq": (b"* 1 FETCH (UID 7 FLAGS () MODSEQ (-1))\r\n", [PLAIN_7]),
    "envelope_in_extra_parentheses": (b'* 1 FETCH (UID 7 FLAGS () ENVELOPE (("x" NIL)))\r\n', [PLAIN_7]),
    "bare_quotes_in_an_envelope": (
        b'* 1 FETCH (UID 7 FLAGS () ENVELOPE ("d" "sub "x" y" NIL))\r\n',
        [PLAIN_7],
    ),
    "bodystructure_nobody_asked_for": (
        b'* 1 FETCH (UID 7 BODYSTRUCTURE (("text" "plain" NIL NIL NIL "7bit" -1)("a") NIL) FLAGS ())\r\n',
        [PLAIN_7],
    ),
}  # fmt: skip


def portions(octets: bytes):
    yield [octets]
    yield [octets[at : at + 1] for at in range(len(octets))]
    for seed in range(10):
        chance = random.Random(seed)
        ends = sorted(chance.choices(range(len(octets) + 1), k=6))
        yield [octets[a:b] for a, b in zip([0, *ends], [*ends, len(octets)], strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_odd_server(logged_in, settle, name):
    octets, expected = CASES[name]
    for parts in portions(octets):
        connection = logged_in(selected=True)
        connection.submit(commands.uid_fetch(UidSet([7]), [FetchItem.UID, FetchItem.BODY]))
        assert settle([event for part in parts for event in connection.receive(part)]) == expected


def test_vanished_and_flags_in_idle_are_events(logged_in):
    connection = logged_in(selected=True)
    connection.submit(commands.idle())
    connection.receive(b"+ idling\r\n")
    found = connection.receive(b"* VANISHED 3:5\r\n* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n* 2 EXISTS\r\n")
    assert list(found) == [Vanished(uids=UidSet([3, 4, 5]), is_earlier=False), SEEN_7, Exists(count=2)]


@pytest.mark.parametrize(
    "octets",
    [
        b"Server Unavailable. 15\r\n",
        b"* 1 FETCH (UID 7 BODY[] {3}\r\nabcd\r\n)\r\n",
        b"A99 OK never asked\r\n",
    ],
)
def test_what_would_shift_all_that_follows_ends_the_line(logged_in, octets):
    """Exchange's bare line; a literal short by an octet; an answer to nothing."""
    for parts in portions(octets):
        connection = logged_in(selected=True)
        connection.submit(commands.uid_fetch(UidSet([7]), [FetchItem.UID, FetchItem.BODY]))
        with pytest.raises(RemoteProtocolError):
            for part in parts:
                connection.receive(part)
