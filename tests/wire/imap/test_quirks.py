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
        ({"capabilities": Capabilities(["XAPPLEPUSHSERVICE"])}, "icloud"),
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
    assert found.enable_is_silent
    assert found.recheck_capabilities


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
    assert found.vanished_from_all
    assert found.disabled == {"QRESYNC"}


def test_lookalike_host_is_not_taken():
    assert profile(host="notstrato.de").name == ""
    assert profile(host="mail.me.com.example.org").name == ""


def test_every_row_says_where_it_was_seen():
    assert all(row.source for row in QUIRKS)
    assert len({row.name for row in QUIRKS}) == len(QUIRKS)
