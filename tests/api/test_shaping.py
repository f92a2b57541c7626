"""Service values as answers: times, text, digests."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import shaping
from daemon.model.envelope import Content, Envelope
from daemon.model.events import Event, EventName
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.ids import AccountId, EventId, MailboxName, MaildirName, new_message_id
from daemon.model.message import Message


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500000+00:00"),
        (-1, "1969-12-31T23:59:59+00:00"),
        (1e30, "9999-12-31T00:00:00+00:00"),
        (-1e30, "0001-01-01T00:00:00+00:00"),
    ],
)
def test_time_is_utc_and_never_out_of_range(seconds, text):
    assert shaping.moment(seconds).isoformat() == text


@given(st.integers(-(2**63), 2**63))
def test_every_number_of_seconds_is_some_time(seconds):
    assert shaping.moment(seconds).tzinfo is UTC


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_is_utf8(text):
    shaping.clean(text).encode("utf-8")


def test_clean_text_keeps_what_is_clean():
    assert shaping.clean("Grüße 💩") == "Grüße 💩"
    assert shaping.clean("a\ud800b") == "a?b"
    assert shaping.clean_or_none(None) is None


def test_message_shows_wire_size_and_digest():
    content = Content(
        file_size=10,
        file_sha256=b"\1" * 32,
        wire_size=12,
        wire_sha256=b"\2" * 32,
        header_sha256=b"\3" * 32,
        envelope=Envelope(subject="s\udcff", date_header=0),
    )
    item = shaping.message_item(
        Message(
            id=new_message_id(),
            account=AccountId("work"),
            mailbox=MailboxName("a\ud800"),
            directory=".",
            maildir_name=MaildirName("1.x"),
            uid=None,
            flags=frozenset({SEEN, FLAGGED}),
            internal_date=5,
            content=content,
        )
    )
    assert item.size_bytes == 12
    assert item.sha256 == "02" * 32
    assert item.flags == ["\\Flagged", "\\Seen"]
    assert item.unread is False
    assert item.date_header == datetime(1970, 1, 1, tzinfo=UTC)
    assert b"1.x" not in orjson.dumps(item.model_dump(mode="json"))


def test_event_data_is_cleaned_to_its_depth():
    event = Event(
        id=EventId("e-1"),
        name=EventName.MESSAGE_NEW,
        account=AccountId("work"),
        mailbox=None,
        message_id=None,
        at=0.0,
        data={"a": "x\ud800", "b": [1, {"c\ud800": ("y\ud800", None, True)}], "d": frozenset({"z"})},
    )
    dumped = orjson.loads(orjson.dumps(shaping.event_item(event).model_dump(mode="json")))
    assert dumped["data"] == {"a": "x?", "b": [1, {"c?": ["y?", None, True]}], "d": ["z"]}
