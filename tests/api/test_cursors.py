"""Cursors: opaque, whole, and of one query."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import format_cursor, parse_cursor
from api.problems import Problem
from daemon.model.ids import INBOX, AccountId, MailboxName, MessageId
from daemon.model.message import MessageQuery

QUERY = MessageQuery(account=AccountId("work"), mailbox=INBOX, unread=True)
PLACE = (1_700_000_000, MessageId("0123456789abcdef" * 2))


@given(st.integers(-(2**63), 2**63 - 1), st.binary(min_size=16, max_size=16))
def test_place_comes_back(at, raw):
    place = (at, MessageId(raw.hex()))
    assert parse_cursor(QUERY, format_cursor(QUERY, place)) == place


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, account=AccountId("home")),
        replace(QUERY, account=None),
        replace(QUERY, mailbox=MailboxName("Sent")),
        replace(QUERY, mailbox=None),
        replace(QUERY, unread=False),
        replace(QUERY, unread=None),
    ],
)
def test_cursor_of_another_query_is_refused(other):
    with pytest.raises(Problem, match="cursor_invalid"):
        parse_cursor(other, format_cursor(QUERY, PLACE))


def test_size_of_the_page_may_change():
    assert parse_cursor(replace(QUERY, limit=3), format_cursor(QUERY, PLACE)) == PLACE


@given(st.integers(0, 43), st.sampled_from("AZaz09-_"))
def test_altered_cursor_is_refused(at, char):
    text = format_cursor(QUERY, PLACE)
    altered = text[:at] + char + text[at + 1 :]
    if altered != text:
        with pytest.raises(Problem, match="cursor_invalid"):
            parse_cursor(QUERY, altered)


@given(
    st.text(max_size=60) | st.binary(min_size=33, max_size=33).map(base64.urlsafe_b64encode).map(bytes.decode)
)
def test_forged_cursor_is_refused(text):
    with pytest.raises(Problem, match="cursor_invalid"):
        parse_cursor(QUERY, text)
