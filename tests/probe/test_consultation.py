"""Both protocols looked at, and the advice."""

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.advice import Wants
from daemon.model.clock import SystemClock
from daemon.model.secret import Secret
from daemon.probe.blocks import Owner
from daemon.probe.candidates import candidates_for
from daemon.probe.consultation import consult


async def test_both_are_looked_at_with_the_login_and_the_wants_decide():
    user = User("ada", "lovelace")
    user.inbox.deliver(b"Subject: a\r\n\r\nhello\r\n", internal_date=1)
    async with ImapServer([user]) as imap, Pop3Server([user]) as pop3:
        candidates = candidates_for("127.0.0.1", ports=(imap.port, pop3.port))
        login = ("ada", Secret("lovelace"))
        wants = Wants(has_several_devices=False, is_server_to_be_emptied=True)
        found = await consult(candidates, login, wants, Owner(username="ada"), SystemClock())
    assert (found.imap.port, found.imap.messages) == (imap.port, 1)
    assert (found.pop3.port, found.pop3.messages, found.pop3.octets) == (pop3.port, 1, 21)
    assert found.advice.protocol == "pop3"
    assert 'username = "ada"' in found.advice.config
