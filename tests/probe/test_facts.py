"""What a server shows, in plain words."""

from dataclasses import replace

import pytest

from daemon.probe.facts import expiry, imap_facts, pop3_facts, seen, span
from daemon.probe.looks import Contents
from daemon.wire.pop3.capabilities import Expire, LoginDelay
from tests.probe.test_advice import IMAP, NOBODY, POP3


@pytest.mark.parametrize(
    ("expire", "words"),
    [
        (None, "does not say how long"),
        (Expire(None), "for as long as you like (EXPIRE NEVER)"),
        (Expire(0), "by itself, as soon as it was fetched (EXPIRE 0)"),
        (Expire(1), "by itself, after a day (EXPIRE 1)"),
        (Expire(60, is_per_user=True), "after 60 days (EXPIRE 60); it may be longer for your account"),
    ],
)
def test_how_long_mail_may_stay_is_told(expire, words):
    assert any(words in fact for fact in pop3_facts(replace(POP3, expire=expire)))


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (LoginDelay(600), "at least 10 minutes between two visits (LOGIN-DELAY 600)"),
        (LoginDelay(90, is_per_user=True), "at least 90 seconds"),
    ],
)
def test_how_often_it_may_be_asked_is_told(delay, words):
    assert any(words in fact for fact in pop3_facts(replace(POP3, login_delay=delay)))


def test_no_pause_between_visits_is_no_fact():
    for delay in (None, LoginDelay(0)):
        assert not any("visits" in fact for fact in pop3_facts(replace(POP3, login_delay=delay)))


@pytest.mark.parametrize(
    ("has_uidl", "words"),
    [
        (True, "gives each message a lasting name"),
        (False, "no lasting names"),
        (None, "does not say whether"),
    ],
)
def test_lasting_names_are_told_as_far_as_they_are_known(has_uidl, words):
    assert any(words in fact for fact in pop3_facts(replace(POP3, has_uidl=has_uidl)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has_notify": True}, "in all mailboxes (NOTIFY)"),
        ({}, "(IDLE)"),
        ({"has_idle": False}, "has to be asked"),
    ],
)
def test_how_new_mail_is_told_of_is_said(changes, words):
    assert any(words in fact for fact in imap_facts(replace(IMAP, **changes)))


def test_server_is_told_with_all_that_is_known():
    look = replace(
        POP3,
        expire=Expire(30),
        login_delay=LoginDelay(600),
        contents=Contents(mailboxes=1, messages=3, octets=4_000),
    )
    server = seen(look)
    assert (server.host, server.port, server.tls) == ("pop.example.org", 995, "implicit")
    assert (server.mailboxes, server.messages, server.octets) == (1, 3, 4_000)
    assert (server.is_mail_expiring, server.expire_days, server.login_delay_seconds) == (True, 30, 600)
    assert (server.has_unique_ids, server.login_error) == (True, None)
    assert seen(replace(POP3, expire=Expire(None))).is_mail_expiring is False
    assert seen(replace(POP3, login_error="no")).login_error == "no"
    assert seen(IMAP).has_unique_ids is None
    assert seen(NOBODY) is None


def test_spans_and_days_read_as_people_say_them():
    assert [span(seconds) for seconds in (1, 60, 90, 120, 6_000)] == [
        "1 second", "60 seconds", "90 seconds", "2 minutes", "100 minutes",
    ]  # fmt: skip
    assert [expiry(days) for days in (0, 1, 2_000)] == [
        "as soon as it was fetched",
        "after a day",
        "after 2,000 days",
    ]
