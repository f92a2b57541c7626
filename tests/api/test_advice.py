"""POST /v1/advise."""

import pytest

from daemon.model.settings import Tls
from daemon.net import tls
from daemon.probe import candidates

PATH = "/v1/advise"


@pytest.fixture
def answering(mailbag, monkeypatch):
    """The real server, at what counts as the standard ports, its authority among the system's."""
    server = mailbag.server
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.setattr(candidates, "_IMAP_PORTS", ((server.imaps_port, Tls.IMPLICIT),))
    monkeypatch.setattr(candidates, "_POP3_PORTS", ((server.pop3s_port, Tls.IMPLICIT),))
    return mailbag


async def test_server_that_answers_is_shown_and_what_is_wanted_decides(served, answering):
    for wants, protocol in (
        ({"several_devices": True}, "imap"),
        ({"several_devices": False, "empty_server": True, "local_deletions": True}, "pop3"),
    ):
        reply = await served.call("POST", PATH, json={"address": "localhost", **wants})
        assert (reply.status, reply.json["protocol"]) == (200, protocol)
        imap, pop3 = reply.json["imap"], reply.json["pop3"]
        assert (imap["port"], pop3["port"]) == (answering.server.imaps_port, answering.server.pop3s_port)
        assert "UIDL" in pop3["capabilities"]
        assert any("lasting name" in fact for fact in pop3["facts"])
        assert any("NOTIFY" in fact or "IDLE" in fact for fact in imap["facts"])
        assert (pop3["unique_ids"], pop3["expires"], pop3["expire_days"]) == (True, None, None)
        assert [imap[name] for name in ("messages", "size_bytes", "login_error")] == [None] * 3
        assert [pop3[name] for name in ("messages", "size_bytes", "login_error")] == [None] * 3


async def test_login_shows_how_much_mail_there_is_and_is_in_no_answer(served, answering):
    answering.fill("INBOX", [b"Subject: a\r\n\r\nhello\r\n"] * 3)
    login = {"username": answering.user, "password": answering.password}
    reply = await served.call("POST", PATH, json={"address": "localhost", **login})
    assert reply.status == 200
    for server in (reply.json["imap"], reply.json["pop3"]):
        assert (server["messages"], server["size_bytes"], server["login_error"]) == (3, 63, None)
    assert reply.json["imap"]["mailboxes"] > 1
    assert f'username = "{answering.user}"' in reply.json["config"]
    assert answering.password.encode() not in reply.body


async def test_refused_login_is_told_and_the_next_one_has_to_wait(served, answering):
    body = {"address": "localhost", "username": answering.user, "password": "canary-Zq7-refused"}
    reply = await served.call("POST", PATH, json=body)
    assert reply.status == 200
    assert reply.json["imap"]["login_error"]
    assert reply.json["pop3"]["login_error"]
    assert b"canary" not in reply.body
    reply = await served.call("POST", PATH, json=body)
    assert (reply.status, reply.json["code"]) == (503, "too_busy")
    assert int(reply.headers["retry-after"]) >= 1
    assert (await served.call("POST", PATH, json={"address": "localhost"})).status == 200


async def test_where_nothing_answers_that_is_the_advice(served):
    reply = await served.call("POST", PATH, json={"address": "nothing.invalid", "several_devices": True})
    assert reply.status == 200
    assert [reply.json[name] for name in ("protocol", "config", "imap", "pop3")] == [None] * 4
    assert reply.json["reasons"]


async def test_addresses_of_the_link_itself_are_not_connected_to(served):
    reply = await served.call("POST", PATH, json={"address": "169.254.169.254"})
    assert reply.json["protocol"] is None
    assert all("no address that is connected to" in reason for reason in reply.json["reasons"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"address": "me@"}, "address_invalid"),
        ({"address": ""}, "body_invalid"),
        ({"address": "a b"}, "body_invalid"),
        ({"address": "a.invalid", "port": 22}, "body_invalid"),
        ({"address": "a.invalid", "slow_line": "yes"}, "body_invalid"),
        ({}, "body_invalid"),
        ({"address": "a.invalid", "username": "me"}, "body_invalid"),
        ({"address": "a.invalid", "password": "canary"}, "body_invalid"),
        ({"address": "a.invalid", "username": "me", "password": ""}, "body_invalid"),
        ({"address": "a.invalid", "username": "me", "password": "canary\r\nDELE 1"}, "body_invalid"),
        ({"address": "a.invalid", "username": "me\n", "password": "canary"}, "body_invalid"),
        ({"address": "a.invalid", "username": "me", "password": "canary" * 1000}, "body_invalid"),
        (
            {"address": "a.invalid", "username": "me", "password_command": ["cat", "/etc/passwd"]},
            "body_invalid",
        ),
    ],
)
async def test_what_cannot_be_looked_at_is_refused(served, body, code):
    reply = await served.call("POST", PATH, json=body)
    assert (reply.status, reply.json["code"]) == (422, code)
    assert b"canary" not in reply.body
