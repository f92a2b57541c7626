import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.model.uidset import UidSet
from daemon.wire.imap import data
from daemon.wire.imap.responses import (
    EsearchData,
    ListData,
    Namespace,
    QuotaData,
    QuotaResource,
    QuotaRootData,
    SearchData,
    StatusData,
    Vanished,
)


def parse_list(*pieces) -> ListData:
    frame = pieces[0] if len(pieces) == 1 else pieces
    return data.parse_list(frame, pieces[0].index(b"(") if b"(" in pieces[0] else 0, 64)


@pytest.mark.parametrize(
    ("line", "name", "delimiter"),
    [
        (b'* LIST (\\HasNoChildren) "/" INBOX', b"INBOX", "/"),
        (b'* LIST () "/" "a b"', b"a b", "/"),
        (b'* list () "." x', b"x", "."),
        (b'* LIST () NIL "[Gmail]"', b"[Gmail]", None),
        (b"* LIST () nil [Gmail]", b"[Gmail]", None),
        (b'* LIST () "" flat', b"flat", None),
        (b'* LIST () "\\\\" "a\\\\b"', b"a\\b", "\\"),
        (b'* LIST () "\\"" x', b"x", '"'),
        (b'* LIST () "/" "with \\"escaped\\" quotes"', b'with "escaped" quotes', "/"),
        (b'* LIST () "/" "with "bare" quotes"', b'with "bare" quotes', "/"),
        (b'* LIST () "/" unquoted with spaces', b"unquoted with spaces", "/"),
        (b'* LIST () "/" ctrl\x01\x02name', b"ctrl\x01\x02name", "/"),
        (b'* LIST () "/" "Entw&APw-rfe" ', b"Entw&APw-rfe", "/"),
        (b'* LIST () "/" caf\xc3\xa9', b"caf\xc3\xa9", "/"),
        (b'* LIST () "/" a*b%c', b"a*b%c", "/"),
        (b'* LIST () "/" (x', None, None),
        (b'* LIST () NIL x ("CHILDINFO" ("SUBSCRIBED"))', b"x", None),
        (b'* LIST () (1) x ("CHILDINFO" ("SUBSCRIBED"))', None, None),
        (b"* LIST () NIL x (OLDNAME ((1)))", None, None),
    ],
)
def test_list_names_that_servers_write(line, name, delimiter):
    if name is None:
        with pytest.raises(RemoteProtocolError):
            parse_list(line)
        return
    listed = parse_list(line)
    assert (listed.wire_name, listed.delimiter) == (name, delimiter)


def test_list_name_as_literal():
    listed = parse_list(b'* LIST (\\NoSelect) "/" {5}', b'a"\r\nb', b"")
    assert listed.wire_name == b'a"\r\nb'
    assert listed.attributes == {"\\noselect"}


def test_list_delimiter_as_literal():
    assert parse_list(b"* LSUB () {1}", b"/", b" x") == ListData(
        wire_name=b"x", delimiter="/", attributes=frozenset(), is_lsub=True
    )


def test_list_extended_data_are_read_and_unknown_ones_skipped():
    listed = parse_list(
        b'* LIST (\\Subscribed \\Trash) "/" Foo ("X-OTHER" (1 2) "CHILDINFO" ("SUBSCRIBED") OLDNAME ("Old"))'
    )
    assert listed.children == {"SUBSCRIBED"}
    assert listed.old_name == b"Old"
    assert listed.attributes == {"\\subscribed", "\\trash"}


@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda raw: b"\r" not in raw and b"\n" not in raw and b"\0" not in raw
    )
)
def test_list_name_quoted_by_the_book_is_read(name):
    quoted = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    assert parse_list(b'* LIST () "/" ' + quoted).wire_name == name


def parse_status(*pieces) -> StatusData:
    return data.parse_status(pieces[0] if len(pieces) == 1 else pieces, len(b"* STATUS "), 64)


def test_status_items():
    status = parse_status(
        b'* STATUS "a b" (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 1 UNSEEN 2 HIGHESTMODSEQ 7011231777 SIZE 99 X (1) MAILBOXID (F1))'
    )
    assert status == StatusData(
        wire_name=b"a b",
        message_count=231,
        unseen_count=2,
        uid_next=44292,
        uid_validity=1,
        highest_mod_seq=7011231777,
        size=99,
        mailbox_id="F1",
    )


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b'* STATUS "INBOX" ()',), StatusData(wire_name=b"INBOX")),
        ((b"* STATUS INBOX (MESSAGES 3 ) ",), StatusData(wire_name=b"INBOX", message_count=3)),
        ((b"* STATUS a b (MESSAGES 3)",), StatusData(wire_name=b"a b", message_count=3)),
        ((b"* STATUS {3}", b"a b", b" (messages 3)"), StatusData(wire_name=b"a b", message_count=3)),
        ((b"* STATUS x (MESSAGES 0 UIDNEXT 0 UIDVALIDITY 0)",), StatusData(wire_name=b"x", message_count=0)),
        ((b"* STATUS x (UIDNEXT 4294967296 SIZE -1)",), StatusData(wire_name=b"x")),
    ],
)
def test_status_that_servers_write(pieces, expected):
    assert parse_status(*pieces) == expected


@pytest.mark.parametrize("line", [b"* STATUS x", b"* STATUS (MESSAGES 1)", b"* STATUS x (MESSAGES many)"])
def test_unreadable_status_is_a_protocol_error(line):
    with pytest.raises(RemoteProtocolError):
        parse_status(line)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"", SearchData(uids=UidSet())),
        (b"2 3 6 ", SearchData(uids=UidSet([2, 3, 6]))),
        (b"2 5 (MODSEQ 917162500)", SearchData(uids=UidSet([2, 5]), mod_seq=917162500)),
    ],
)
def test_search(rest, expected):
    assert data.parse_search(rest) == expected


@pytest.mark.parametrize("rest", [b"1 x", b"0", b"1:5", b"4294967296", b"9" * 5000, b"-1"])
def test_search_with_something_else_is_a_protocol_error(rest):
    with pytest.raises(RemoteProtocolError):
        data.parse_search(rest)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b'(TAG "A282") MIN 2 COUNT 3', EsearchData(tag=b"A282", is_uid=False, lowest=2, count=3)),
        (
            b"(TAG A1) UID ALL 4:18,21 MODSEQ 9",
            EsearchData(tag=b"A1", is_uid=True, uids=UidSet.parse("4:18,21"), mod_seq=9),
        ),
        (b'(TAG "A1") UID', EsearchData(tag=b"A1", is_uid=True)),
        (b"(X y) UID", EsearchData(tag=None, is_uid=True)),
        (b"UID COUNT 0 MAX 5 X-NEW 4", EsearchData(tag=None, is_uid=True, count=0, highest=5)),
    ],
)
def test_esearch(rest, expected):
    assert data.parse_esearch(rest) == expected


def test_esearch_with_a_broken_set_is_a_protocol_error():
    with pytest.raises(RemoteProtocolError):
        data.parse_esearch(b'(TAG "A1") UID ALL 1:x')


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"(EARLIER) 41,43:116", Vanished(uids=UidSet.parse("41,43:116"), is_earlier=True)),
        (b"(earlier) 41 ", Vanished(uids=UidSet([41]), is_earlier=True)),
        (b"405,407", Vanished(uids=UidSet([405, 407]), is_earlier=False)),
        (b"(EARLIER) ", Vanished(uids=UidSet(), is_earlier=True)),
    ],
)
def test_vanished(rest, expected):
    assert data.parse_vanished(rest) == expected


@pytest.mark.parametrize("rest", [b"(LATER) 1", b"1:*", b"x", b"1,,2", b"(EARLIER 1", b"0"])
def test_malformed_vanished_says_so(rest):
    """S9: a VANISHED that cannot be read must not look like nothing vanished."""
    with pytest.raises(RemoteProtocolError) as caught:
        data.parse_vanished(rest)
    assert caught.value.reason == "qresync_malformed"


def test_namespace():
    line = b'* NAMESPACE (("" "/")("#mh/" "/" "X-PARAM" ("a"))) NIL (("Shared." "."))'
    found = data.parse_namespace(line, len(b"* NAMESPACE "), 64)
    assert found.personal == (Namespace(prefix=b"", delimiter="/"), Namespace(prefix=b"#mh/", delimiter="/"))
    assert found.others == ()
    assert found.shared == (Namespace(prefix=b"Shared.", delimiter="."),)
    assert data.parse_namespace(b"NIL", 0, 64).shared == ()


def test_id_is_read_with_literals_and_nil():
    found = data.parse_id((b'("Name" {5}', b"a\r\nbc", b' "version" NIL "os" "x" "odd")'), 0, 64)
    assert found.fields == {"name": "a\\u000d\\u000abc", "os": "x"}
    assert data.parse_id(b"NIL ", 0, 64).fields == {}


def test_status_of_extensions():
    """STATUS=SIZE (RFC 8438), DELETED (RFC 9051), APPENDLIMIT (RFC 7889), MAILBOXID (RFC 8474)."""
    line = b"Box (SIZE 9000000000 DELETED 3 APPENDLIMIT NIL MAILBOXID (F1) X-NEW (1 2))"
    found = data.parse_status(line, 0, 64)
    assert (found.size, found.deleted_count, found.append_limit, found.mailbox_id) == (
        9000000000,
        3,
        None,
        "F1",
    )
    assert data.parse_status(b"Box (APPENDLIMIT 257890)", 0, 64).append_limit == 257890


def test_later_status_is_completed_by_the_earlier_unless_the_mailbox_is_another():
    first = StatusData(wire_name=b"A", message_count=5, uid_next=6, uid_validity=1)
    assert StatusData(wire_name=b"A", unseen_count=0).joined(first) == StatusData(
        wire_name=b"A", message_count=5, uid_next=6, uid_validity=1, unseen_count=0
    )
    other = StatusData(wire_name=b"A", message_count=0, uid_validity=2)
    assert other.joined(first) == other


def test_quota_root_and_quota():
    """RFC 9208 §4.3."""
    assert data.parse_quota_root(b'INBOX "" #user/alice', 0, 64) == QuotaRootData(
        wire_name=b"INBOX", roots=(b"", b"#user/alice")
    )
    assert data.parse_quota(b'"" (storage 10 512 MESSAGE 9223372036854775807 100)', 0, 64) == QuotaData(
        root=b"",
        resources=(
            QuotaResource(name="STORAGE", used=10, limit=512),
            QuotaResource(name="MESSAGE", used=2**63 - 1, limit=100),
        ),
    )


@pytest.mark.parametrize(
    "rest", [b'""', b'"" STORAGE', b'"" (STORAGE x 5)', b'"" (STORAGE 1 18446744073709551616)']
)
def test_quota_that_cannot_be_read_is_told(rest):
    with pytest.raises(RemoteProtocolError):
        data.parse_quota(rest, 0, 64)
