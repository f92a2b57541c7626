"""Which protocol fits, by cases."""

import tomllib
from dataclasses import replace

import pytest

from daemon.model.advice import Wants
from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint
from daemon.probe.advice import Owner, advise
from daemon.probe.looks import Contents, ImapLook, Pop3Look, Silence

IMAP = ImapLook(
    endpoint=Endpoint(host="imap.example.org", port=993, tls=Tls.IMPLICIT),
    capabilities=frozenset({"IDLE"}),
    mechanisms=frozenset({"PLAIN"}),
    has_idle=True,
    has_notify=False,
    has_move=True,
    has_uidplus=True,
    has_quick_resync=True,
)
POP3 = Pop3Look(
    endpoint=Endpoint(host="pop.example.org", port=995, tls=Tls.IMPLICIT),
    capabilities=frozenset({"UIDL"}),
    mechanisms=frozenset({"PLAIN"}),
    has_uidl=True,
    has_top=True,
    expire_days=None,
    login_delay_seconds=None,
)
NOBODY = Silence(tried=((IMAP.endpoint, "connection refused"),))


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        (Wants(), "imap"),
        (Wants(has_several_devices=True), "imap"),
        (Wants(has_several_devices=True, is_server_to_be_emptied=True), "imap"),
        (Wants(has_several_devices=False, is_server_to_be_emptied=True), "pop3"),
        (Wants(are_deletions_to_stay_local=True), "pop3"),
        (Wants(are_deletions_to_stay_local=False), "imap"),
        (Wants(is_line_slow=True, has_several_devices=False), "pop3"),
        (Wants(is_line_slow=True), "imap"),
    ],
)
def test_what_a_person_wants_decides(wants, expected):
    advice = advise(IMAP, POP3, wants)
    assert advice.protocol == expected
    assert advice.reasons


def test_both_wishes_that_exclude_each_other_are_told():
    advice = advise(IMAP, POP3, Wants(has_several_devices=True, is_server_to_be_emptied=True))
    assert any("cannot be had" in caution for caution in advice.cautions)
    assert any(caution.startswith("Speaking for POP3") for caution in advice.cautions)


def test_server_without_unique_ids_outweighs_a_wish():
    poor = replace(POP3, has_uidl=False)
    assert advise(IMAP, poor, Wants(is_server_to_be_emptied=True)).protocol == "imap"


@pytest.mark.parametrize(
    "wants", [Wants(), Wants(has_several_devices=True), Wants(are_deletions_to_stay_local=True)]
)
def test_where_one_answers_that_one_it_is(wants):
    assert advise(IMAP, NOBODY, wants).protocol == "imap"
    assert advise(NOBODY, POP3, wants).protocol == "pop3"


def test_where_none_answers_each_place_tried_is_told_with_its_reason():
    advice = advise(NOBODY, NOBODY, Wants())
    assert (advice.protocol, advice.config) == (None, None)
    assert advice.reasons == ("imap.example.org:993: connection refused",) * 2


def test_config_is_toml_whatever_the_names_hold():
    odd = replace(POP3, endpoint=replace(POP3.endpoint, host='a"b\\c'), login_delay_seconds=900)
    advice = advise(NOBODY, odd, Wants(is_server_to_be_emptied=True), Owner(username='me"\n@x'))
    block = tomllib.loads(advice.config)["accounts"]["mail"]
    assert (block["host"], block["username"]) == ('a"b\\c', 'me"@x')
    assert (block["leave_on_server"], block["poll_interval"]) == (False, "15m")


def test_mail_that_the_server_removes_by_itself_is_told():
    for days, words in ((0, "as soon as it was fetched"), (30, "after 30 days")):
        advice = advise(NOBODY, replace(POP3, expire_days=days), Wants())
        assert any(words in caution for caution in advice.cautions)


def test_many_mailboxes_speak_for_imap():
    there = replace(IMAP, contents=Contents(mailboxes=12, messages=3, octets=None))
    assert any("12 mailboxes" in reason for reason in advise(there, POP3, Wants()).reasons)


def test_password_command_that_was_given_is_in_the_config():
    owner = Owner(username="me", password_command=("pass", 'show "mail"'))
    block = tomllib.loads(advise(IMAP, NOBODY, Wants(), owner).config)["accounts"]["mail"]
    assert block["password_command"] == ["pass", 'show "mail"']
