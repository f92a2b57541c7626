"""Wishes that a protocol does not fulfil."""

from dataclasses import replace

import pytest

from daemon.model.advice import Wants
from daemon.probe.advice import advise
from daemon.probe.wishes import BOTH_CANNOT_BE_HAD, unmet_by_imap, unmet_by_pop3
from daemon.wire.pop3.capabilities import Expire
from tests.probe.test_advice import IMAP, NOBODY, POP3

EMPTIED = Wants(is_server_to_be_emptied=True)
KEPT = Wants(is_server_to_be_emptied=False)


@pytest.mark.parametrize(
    ("wants", "wish", "remedy"),
    [
        (EMPTIED, "You want the server kept empty.", "move mail"),
        (Wants(are_deletions_to_stay_local=True), "to stay on the server.", 'delete = "trash"'),
        (Wants(is_line_slow=True), "slow or metered", 'mailboxes = ["INBOX"]'),
    ],
)
def test_where_only_imap_answers_each_wish_it_does_not_fulfil_is_told_with_the_next_best(wants, wish, remedy):
    (said,) = [caution for caution in advise(IMAP, NOBODY, wants).cautions if wish in caution]
    assert remedy in said


@pytest.mark.parametrize(
    ("wants", "wish", "remedy"),
    [
        (Wants(has_several_devices=True), "on several devices", "would need IMAP, which does not answer"),
        (
            Wants(are_deletions_to_stay_local=False),
            "to be deleted on the server too.",
            'leave_on_server = "14d"',
        ),
    ],
)
def test_where_only_pop3_answers_each_wish_it_does_not_fulfil_is_told_with_the_next_best(wants, wish, remedy):
    (said,) = [caution for caution in advise(NOBODY, POP3, wants).cautions if wish in caution]
    assert remedy in said


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        (Wants(has_several_devices=True), "several devices"),
        (Wants(are_deletions_to_stay_local=False), "deleted on the server too"),
    ],
)
def test_where_only_imap_answers_a_wish_it_fulfils_is_a_reason(wants, reason):
    advice = advise(IMAP, NOBODY, wants)
    assert any(reason in said for said in advice.reasons)
    assert advice.cautions == ()


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        (EMPTIED, "kept empty"),
        (Wants(are_deletions_to_stay_local=True), "to stay on the server"),
        (Wants(is_line_slow=True), "slow or metered"),
        (Wants(has_several_devices=False), "this machine only"),
    ],
)
def test_where_only_pop3_answers_a_wish_it_fulfils_is_a_reason(wants, reason):
    assert any(reason in said for said in advise(NOBODY, POP3, wants).reasons)
    assert unmet_by_pop3(POP3, wants, has_imap=False) == []


def test_what_the_other_protocol_does_is_said_only_where_it_answers():
    (both,) = unmet_by_imap(EMPTIED, POP3)
    (alone,) = unmet_by_imap(EMPTIED, None)
    (poor,) = unmet_by_imap(EMPTIED, replace(POP3, has_uidl=False))
    assert "POP3 does that." in both
    assert "switch it on in their settings" in alone
    assert "POP3 cannot do it there either" in poor
    (both,) = unmet_by_pop3(POP3, Wants(has_several_devices=True), has_imap=True)
    assert "IMAP does that." in both


def test_server_that_cannot_be_emptied_is_told():
    (said,) = unmet_by_pop3(replace(POP3, has_uidl=False), EMPTIED, has_imap=False)
    assert "cannot be done here" in said
    for has_uidl in (True, None):
        assert unmet_by_pop3(replace(POP3, has_uidl=has_uidl), EMPTIED, has_imap=False) == []


def test_mail_that_is_to_stay_and_that_the_server_removes_is_told():
    (said,) = unmet_by_pop3(replace(POP3, expire=Expire(7)), KEPT, has_imap=False)
    assert "after 7 days" in said
    for expire in (None, Expire(None)):
        assert unmet_by_pop3(replace(POP3, expire=expire), KEPT, has_imap=False) == []


def test_several_devices_and_an_empty_server_exclude_each_other_over_either_protocol():
    wants = Wants(has_several_devices=True, is_server_to_be_emptied=True)
    assert BOTH_CANNOT_BE_HAD in unmet_by_imap(wants, POP3)
    assert BOTH_CANNOT_BE_HAD in unmet_by_pop3(POP3, wants, has_imap=False)


@pytest.mark.parametrize(
    ("pop3", "wants", "words"),
    [
        (
            POP3,
            Wants(are_deletions_to_stay_local=False, is_server_to_be_emptied=True),
            "removed there anyway",
        ),
        (replace(POP3, has_uidl=False), Wants(are_deletions_to_stay_local=False), "provider's web page"),
    ],
)
def test_what_leaves_the_server_all_the_same_is_said_as_it_is_here(pop3, wants, words):
    said = unmet_by_pop3(pop3, wants, has_imap=False)[-1]
    assert words in said
    assert "14d" not in said
