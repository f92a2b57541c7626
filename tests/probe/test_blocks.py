"""The block for the config file."""

import tomllib
from dataclasses import replace

from daemon.model.advice import Wants
from daemon.probe.blocks import Owner, imap_block, pop3_block
from daemon.wire.pop3.capabilities import LoginDelay
from tests.probe.test_advice import IMAP, POP3

KEPT, EMPTIED = Wants(), Wants(is_server_to_be_emptied=True)


def read(block):
    return tomllib.loads(block)["accounts"]["mail"]


def test_block_is_toml_whatever_the_names_hold():
    odd = replace(POP3, endpoint=replace(POP3.endpoint, host='a"b\\c'), login_delay=LoginDelay(900))
    block = read(pop3_block(odd, EMPTIED, Owner(username='me"\n@x')))
    assert (block["host"], block["username"]) == ('a"b\\c', 'me"@x')
    assert (block["leave_on_server"], block["poll_interval"]) == (False, "15m")


def test_server_is_asked_no_more_often_than_it_wants():
    for seconds, interval in ((0, "5m"), (61, "5m"), (301, "6m"), (3600, "60m")):
        block = read(pop3_block(replace(POP3, login_delay=LoginDelay(seconds)), KEPT, Owner()))
        assert block["poll_interval"] == interval


def test_deletions_that_are_to_stay_local_go_to_the_trash_over_imap():
    assert read(imap_block(IMAP, Wants(are_deletions_to_stay_local=True), Owner()))["delete"] == "trash"
    assert "delete" not in read(imap_block(IMAP, KEPT, Owner()))


def test_password_command_that_was_given_is_in_the_block():
    owner = Owner(username="me", password_command=("pass", 'show "mail"'))
    assert read(imap_block(IMAP, KEPT, owner))["password_command"] == ["pass", 'show "mail"']
