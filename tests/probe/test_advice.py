"""Which protocol fits, by cases."""

import itertools
from dataclasses import replace

import pytest

from daemon.config import load_settings
from daemon.model.advice import Wants
from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint
from daemon.probe.advice import advise
from daemon.probe.blocks import Owner
from daemon.probe.looks import Contents, ImapLook, Pop3Look, Silence
from daemon.wire.pop3.capabilities import Expire, LoginDelay

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
    expire=None,
    login_delay=None,
)
KINDS_OF_POP3 = [
    replace(POP3, has_uidl=has_uidl, expire=expire, login_delay=delay)
    for has_uidl, expire, delay in itertools.product(
        (True, False, None),
        (None, Expire(None), Expire(0), Expire(30)),
        (None, LoginDelay(900), LoginDelay(999_999_999)),
    )
]
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
    assert any(caution.startswith("You want the server kept empty") for caution in advice.cautions)


def test_server_without_unique_ids_outweighs_a_wish():
    poor = replace(POP3, has_uidl=False)
    assert advise(IMAP, poor, Wants(is_server_to_be_emptied=True)).protocol == "imap"


def test_server_of_which_nothing_is_known_of_ids_is_not_blamed_for_it():
    unknown = replace(POP3, has_uidl=None)
    advice = advise(IMAP, unknown, Wants(is_server_to_be_emptied=True, has_several_devices=False))
    assert advice.protocol == "pop3"
    assert "leave_on_server = false" in advice.config
    assert not any("lasting names" in said for said in (*advice.reasons, *advice.cautions))


def test_emptying_is_no_reason_for_pop3_where_it_cannot_be_done():
    """Even where the other wishes choose POP3."""
    wants = Wants(are_deletions_to_stay_local=True, is_server_to_be_emptied=True)
    for imap in (IMAP, NOBODY):
        advice = advise(imap, replace(POP3, has_uidl=False), wants)
        assert not any("can remove each message" in reason for reason in advice.reasons)
    assert "leave_on_server = true" in advice.config
    assert sum("lasting names" in caution for caution in advice.cautions) == 1


def test_login_that_works_over_one_protocol_only_decides():
    there = Contents(mailboxes=1, messages=3, octets=9)
    refused_imap = replace(IMAP, login_error="no")
    assert (
        advise(refused_imap, replace(POP3, contents=there), Wants(has_several_devices=True)).protocol
        == "pop3"
    )
    refused_pop3 = replace(POP3, login_error="no")
    wants = Wants(is_server_to_be_emptied=True, are_deletions_to_stay_local=True, is_line_slow=True)
    advice = advise(replace(IMAP, contents=there), refused_pop3, wants)
    assert advice.protocol == "imap"
    assert "Your login works over IMAP and not over POP3." in advice.reasons


def test_nothing_is_said_twice():
    for imap, pop3, wants in everything():
        advice = advise(imap, pop3, wants)
        said = (advice.headline, *advice.reasons, *advice.cautions)
        assert len(said) == len(set(said))
        assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in said), said


def everything():
    """Every combination of answers with every kind of server."""
    ways = [
        *itertools.product((IMAP, replace(IMAP, has_idle=False, has_uidplus=False)), (NOBODY,)),
        *itertools.product((IMAP, NOBODY), KINDS_OF_POP3),
    ]
    for (imap, pop3), answers in itertools.product(ways, itertools.product((None, True, False), repeat=4)):
        devices, empty, local, slow = answers
        yield (
            imap,
            pop3,
            Wants(
                has_several_devices=devices,
                is_server_to_be_emptied=empty,
                are_deletions_to_stay_local=local,
                is_line_slow=slow,
            ),
        )


def test_block_is_taken_by_the_config_loader_for_every_combination_of_answers(tmp_path):
    blocks = {}
    for imap, pop3, wants in everything():
        for owner in (Owner(), Owner(username="me", password_command=("pass", "mail"))):
            advice = advise(imap, pop3, wants, owner)
            blocks.setdefault(advice.config, set()).add((advice.protocol, wants.is_server_to_be_emptied))
    assert len(blocks) > 8
    for block, meant in blocks.items():
        file = tmp_path / "config.toml"
        file.write_text(f'[store]\npath = "{tmp_path}/store"\n\n{block}\n')
        file.chmod(0o600)
        (account,) = load_settings(file, {}, home=tmp_path).accounts
        assert {protocol for protocol, _ in meant} == {account.protocol}
        if account.protocol == "pop3" and account.leave_on_server is False:
            assert all(is_emptied for _, is_emptied in meant)


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


def test_mail_that_the_server_removes_by_itself_is_told():
    for days, words in ((0, "as soon as it was fetched"), (30, "after 30 days")):
        for wants in (Wants(), Wants(is_server_to_be_emptied=False), Wants(is_server_to_be_emptied=True)):
            advice = advise(NOBODY, replace(POP3, expire=Expire(days)), wants)
            assert sum(words in caution for caution in advice.cautions) == 1


def test_many_mailboxes_speak_for_imap():
    there = replace(IMAP, contents=Contents(mailboxes=12, messages=3, octets=None))
    assert any("12 mailboxes" in reason for reason in advise(there, POP3, Wants()).reasons)
