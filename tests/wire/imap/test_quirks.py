import pytest

from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.quirks import QUIRKS, Profile, profile


def test_unknown_server_has_no_quirks():
    assert profile(host="mail.example.org", greeting="Dovecot ready.") == Profile()
    assert profile() == Profile()


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"host": "imap.mail.me.com"}, "icloud"),
        ({"host": "p61-imap.mail.me.com"}, "icloud"),
        ({"greeting": "(2109B29-d3afe4d5aba6) pv33p00im-iscream021.me.com"}, "icloud"),
        ({"greeting": "iSCREAM ready to rumble (15E201-d02dd996912b:24762) mr11p00im-iscream004"}, "icloud"),
        ({"greeting": "(2538B104-b1489b0b0463) p00-iscream-7dfc5877dc-kmwkw"}, "icloud"),
        ({"host": "imap.mail.yahoo.com"}, "yahoo"),
        ({"host": "imap.aol.com"}, "yahoo"),
        ({"host": "imap.163.com"}, "netease"),
        ({"host": "imap.yeah.net"}, "netease"),
        ({"greeting": "mail Cyrus IMAP 3.6.0 server ready"}, "cyrus"),
        ({"identity": {"name": "Cyrus IMAPD"}}, "cyrus"),
        ({"greeting": "Courier-IMAP ready. Copyright 1998-2019 Double Precision, Inc."}, "courier"),
        ({"host": "outlook.office365.com"}, "exchange"),
        ({"greeting": "The Microsoft Exchange IMAP4 service is ready."}, "exchange"),
        ({"identity": {"name": "Proton Mail Bridge"}}, "proton bridge"),
        ({"host": "imap.strato.de"}, "strato"),
        ({"greeting": "IMAP4rev1 SmarterMail"}, "smartermail"),
        ({"greeting": "hMailServer"}, "hmailserver"),
    ],
)
def test_server_is_known_by_what_it_shows(known, name):
    assert profile(**known).name == name


def test_icloud_is_not_believed_about_qresync():
    found = profile(host="imap.mail.me.com")
    assert {"QRESYNC", "ESEARCH"} <= found.disabled
    assert found.recheck_capabilities


@pytest.mark.parametrize(
    ("host", "greeting"),
    [
        ("imap.fastmail.com", "IMAP4 ready"),
        ("mail.example.org", "Dovecot ready."),
        ("mail.example.org", "WildDuck ready for requests from 192.0.2.1"),
    ],
)
def test_other_server_with_pushes_to_apple_devices_is_believed(host, greeting):
    offered = Capabilities(["IMAP4REV1", "XAPPLEPUSHSERVICE", "QRESYNC", "ESEARCH"])
    assert not profile(host=host, greeting=greeting, capabilities=offered).disabled


def test_yahoo_gets_short_lines():
    assert profile(host="imap.mail.yahoo.com").command_line_bytes == 1000


def test_netease_is_told_who_we_are_before_login():
    assert profile(host="imap.126.com").identify_before_login


def test_exchange_gets_no_more_than_it_can_take():
    assert profile(host="outlook.office365.com").max_in_flight <= 25


def test_cyrus_is_not_asked_for_what_it_garbles():
    assert profile(greeting="mail Cyrus IMAP 3.6.1 server ready").garbles_mailbox_id
    assert not profile(greeting="Dovecot ready.").garbles_mailbox_id


def test_two_rows_are_joined():
    found = profile(greeting="Cyrus IMAP Murder 2.4", capabilities=Capabilities(["MUPDATE=mupdate://x/"]))
    assert found.name == "cyrus, cyrus murder"
    assert found.garbles_mailbox_id
    assert found.disabled == {"QRESYNC"}


def test_lookalike_host_is_not_taken():
    assert profile(host="notstrato.de").name == ""
    assert profile(host="mail.me.com.example.org").name == ""


def test_every_row_says_where_it_was_seen():
    assert all(row.source for row in QUIRKS)
    assert len({row.name for row in QUIRKS}) == len(QUIRKS)
