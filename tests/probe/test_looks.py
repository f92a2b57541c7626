"""What servers show of themselves."""

import pytest

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.clock import SystemClock
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint
from daemon.probe.looks import Contents, Silence, look_at_imap, look_at_pop3
from daemon.wire.pop3.capabilities import Expire, LoginDelay

CLOCK = SystemClock()
LOGIN = ("ada", Secret("lovelace"))


def at(port):
    return Endpoint(host="127.0.0.1", port=port, tls=Tls.NONE)


@pytest.fixture
def user():
    user = User("ada", "lovelace")
    user.inbox.deliver(b"Subject: a\r\n\r\nhello\r\n", internal_date=1)
    user.create("Archive")
    return user


async def test_first_place_that_answers_is_looked_at(user):
    async with ImapServer([user]) as server:
        look = await look_at_imap([at(1), at(server.port), at(2)], None, CLOCK)
        assert look.endpoint.port == server.port
        assert look.has_idle
        assert look.contents is None
        assert look.login_error is None


async def test_login_shows_how_much_mail_there_is(user):
    async with ImapServer([user]) as imap, Pop3Server([user]) as pop3:
        look = await look_at_imap([at(imap.port)], LOGIN, CLOCK)
        assert look.contents == Contents(mailboxes=2, messages=1, octets=None)
        look = await look_at_pop3([at(pop3.port)], LOGIN, CLOCK)
        assert look.contents == Contents(mailboxes=1, messages=1, octets=21)
        assert look.has_uidl


async def test_size_is_told_where_the_server_knows_it(mailbag):
    mailbag.fill("INBOX", [b"Subject: a\r\n\r\nhello\r\n"])
    server = mailbag.server
    endpoint = Endpoint(host="localhost", port=server.imaps_port, tls=Tls.IMPLICIT, ca_file=server.ca_file)
    look = await look_at_imap([endpoint], (mailbag.user, Secret(mailbag.password)), CLOCK)
    assert look.contents.octets == 21
    assert look.has_notify


async def test_refused_login_is_told_and_the_rest_is_known(user):
    async with ImapServer([user]) as imap, Pop3Server([user]) as pop3:
        wrong = ("ada", Secret("wrong"))
        for look in (
            await look_at_imap([at(imap.port)], wrong, CLOCK),
            await look_at_pop3([at(pop3.port)], wrong, CLOCK),
        ):
            assert look.login_error
            assert look.contents is None


async def test_server_without_ids_is_known_as_such_after_login(user):
    async with Pop3Server([user], without=["UIDL"]) as pop3:
        assert (await look_at_pop3([at(pop3.port)], None, CLOCK)).has_uidl is None
        assert (await look_at_pop3([at(pop3.port)], LOGIN, CLOCK)).has_uidl is False


async def test_empty_maildrop_proves_nothing_of_ids():
    async with Pop3Server([User("ada", "lovelace")], without=["UIDL"]) as pop3:
        look = await look_at_pop3([at(pop3.port)], LOGIN, CLOCK)
        assert look.contents == Contents(mailboxes=1, messages=0, octets=0)
        assert look.has_uidl is None


async def test_server_that_does_not_tell_what_it_can_shows_its_ids_by_listing_them(user):
    def without_capa(line):
        return b"-ERR what?\r\n" if line.upper() == b"CAPA" else None

    async with Pop3Server([user], intervene=without_capa) as pop3:
        assert (await look_at_pop3([at(pop3.port)], LOGIN, CLOCK)).has_uidl is True


async def test_how_long_mail_stays_and_how_often_it_may_be_asked_are_known(user):
    def with_policy(line):
        if line.upper() != b"CAPA":
            return None
        return b"+OK\r\nUIDL\r\nUSER\r\nEXPIRE 30 USER\r\nLOGIN-DELAY 600\r\n.\r\n"

    async with Pop3Server([user], intervene=with_policy) as pop3:
        look = await look_at_pop3([at(pop3.port)], None, CLOCK)
        assert (look.expire, look.login_delay) == (Expire(30, is_per_user=True), LoginDelay(600))


@pytest.mark.parametrize("spelling", ["lovelace", "bG92ZWxhY2U=", "AGFkYQBsb3ZlbGFjZQ=="])
async def test_server_that_repeats_the_password_is_not_repeated(user, spelling):
    def parrot(line):
        return f"-ERR [AUTH] not {spelling}\r\n".encode() if line.startswith(b"AUTH") else None

    async with Pop3Server([user], intervene=parrot) as pop3:
        look = await look_at_pop3([at(pop3.port)], LOGIN, CLOCK)
    assert "***" in look.login_error
    assert spelling not in look.login_error


async def test_where_nothing_answers_every_place_tried_is_told():
    look = await look_at_pop3([at(1), at(2)], None, CLOCK)
    assert isinstance(look, Silence)
    assert [where.port for where, _ in look.tried] == [1, 2]
    assert all(why for _, why in look.tried)
