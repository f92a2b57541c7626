import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import LocalProtocolError
from daemon.model.ids import MailboxName
from daemon.wire.imap import names

WIRE = st.one_of(
    st.binary(max_size=30),
    st.text("&-,ABCDabcd/+0é", max_size=20).map(str.encode),
    st.text(max_size=12).map(names.encode_wire_name),
)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"Tom &- Jerry", "Tom & Jerry"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"&2D3eCQ-", "😉"),
    ],
)
def test_modified_utf7(raw, name):
    assert names.decode_wire_name(raw) == name
    assert names.encode_wire_name(name) == raw


@pytest.mark.parametrize(
    "raw", [b"&AGE-", b"&", b"&!-", b"&AAAA", b"&2D0-", b"caf\xc3\xa9", b"a\tb", b"&AOk", b"&AOl-x&-&"]
)
def test_bytes_without_meaning_survive(raw):
    """S20: kept, told apart, written back as they were."""
    decoded = names.decode_wire_name(raw)
    assert names.encode_wire_name(decoded) == raw


@given(WIRE)
def test_any_bytes_are_written_back_as_they_were(raw):
    for utf8 in (False, True):
        assert names.encode_wire_name(names.decode_wire_name(raw, utf8), utf8) == raw


@given(WIRE, WIRE, st.sampled_from([".", "/", "\\", None]))
def test_two_wire_names_never_become_one(one, other, delimiter):
    found = [names.normalise(names.decode_wire_name(raw), delimiter) for raw in (one, other)]
    assert (found[0] == found[1]) == (one == other or one.upper() == other.upper() == b"INBOX")


@given(WIRE, st.sampled_from([".", "/", "\\", None]), st.sampled_from(["", "INBOX.", "INBOX/", "mail/"]))
def test_normalised_name_leads_back_to_the_wire(raw, delimiter, prefix):
    decoded = names.decode_wire_name(raw)
    name = names.normalise(decoded, delimiter, prefix)
    has_lost_prefix = not decoded.startswith(prefix) or delimiter is None or delimiter not in prefix
    if name != "INBOX" and not (prefix and has_lost_prefix):
        assert names.denormalise(name, delimiter, prefix) == raw


@given(WIRE, st.sampled_from([".", "/", None]))
def test_normalised_name_is_valid_text_without_controls(raw, delimiter):
    name = names.normalise(names.decode_wire_name(raw), delimiter)
    name.encode("utf-8")
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in name)


@pytest.mark.parametrize(
    ("decoded", "delimiter", "prefix", "name"),
    [
        ("inbox", "/", "", "INBOX"),
        ("Inbox/x", "/", "", "Inbox/x"),
        ("INBOX.Sent", ".", "INBOX.", "Sent"),
        ("INBOX.Sent.2024", ".", "INBOX.", "Sent/2024"),
        ("INBOX.INBOX", ".", "INBOX.", "INBOX/INBOX"),
        ("INBOX.INBOX.x", ".", "INBOX.", "INBOX/INBOX/x"),
        ("INBOX.", ".", "INBOX.", "INBOX/"),
        ("INBOX", ".", "INBOX.", "INBOX"),
        ("shared.x", ".", "INBOX.", "shared/x"),
        ("a/b.c", ".", "", "a\\2fb/c"),
        ("a.b/c", "/", "", "a.b/c"),
        ("a/b", None, "", "a\\2fb"),
        ("a\\b", "/", "", "a\\5cb"),
        ("a\\b", "\\", "", "a/b"),
        ("a\x01", "/", "", "a\\u0001"),
    ],
)
def test_normalised_names(decoded, delimiter, prefix, name):
    assert names.normalise(decoded, delimiter, prefix) == name


def test_prefix_is_kept_where_its_removal_collides():
    listed = [("INBOX", "."), ("INBOX.Sent", "."), ("Sent", "."), ("INBOX.Other", ".")]
    assert names.normalise_all(listed, "INBOX.") == ["INBOX", "INBOX/Sent", "Sent", "Other"]


@pytest.mark.parametrize(
    ("name", "delimiter", "prefix", "wire"),
    [
        ("INBOX", ".", "INBOX.", b"INBOX"),
        ("Sent/2024", ".", "INBOX.", b"INBOX.Sent.2024"),
        ("INBOX/INBOX", ".", "INBOX.", b"INBOX.INBOX"),
        ("Entwürfe", "/", "", b"Entw&APw-rfe"),
        ("a\\2fb", ".", "", b"a/b"),
    ],
)
def test_names_for_new_mailboxes(name, delimiter, prefix, wire):
    assert names.denormalise(MailboxName(name), delimiter, prefix) == wire


def test_name_in_utf8_mode():
    assert names.denormalise(MailboxName("Entwürfe & x"), "/", utf8=True) == "Entwürfe & x".encode()
    assert names.decode_wire_name("Entwürfe".encode(), utf8=True) == "Entwürfe"


@pytest.mark.parametrize(("name", "delimiter"), [("v1.0", "."), ("a/b", None)])
def test_name_the_server_cannot_hold_is_refused(name, delimiter):
    with pytest.raises(LocalProtocolError):
        names.denormalise(MailboxName(name), delimiter)


def test_lone_surrogate_from_outside_is_replaced():
    assert names.encode_wire_name("a\ud800b") == b"a&AD8-b"
