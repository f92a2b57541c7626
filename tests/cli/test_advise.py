"""`mailsyncd advise`, as a person or a script runs it."""

import asyncio
import json
import threading
import tomllib
from contextlib import contextmanager

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server


@contextmanager
def serving(kind):
    """A server in a thread of its own; gives its port."""
    user = User("ada", "lovelace")
    user.inbox.deliver(b"Subject: a\r\n\r\nhello\r\n", internal_date=1)
    ready: list[int] = []
    is_up, stop = threading.Event(), threading.Event()

    async def serve():
        async with kind([user]) as server:
            ready.append(server.port)
            is_up.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    is_up.wait(5)
    try:
        yield ready[0]
    finally:
        stop.set()
        thread.join()


def call(mailsyncd, *arguments):
    process = mailsyncd.start("advise", *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_server_with_one_protocol_gives_its_config_to_paste(mailsyncd):
    with serving(ImapServer) as port:
        code, out, err = call(mailsyncd, "127.0.0.1", "--port", str(port))
    assert code == 0, err
    assert "POP3  does not answer" in out
    assert "Use IMAP" in out
    block = tomllib.loads(out.partition("For the config file:")[2])["accounts"]["mail"]
    assert (block["protocol"], block["host"], block["port"]) == ("imap", "127.0.0.1", port)


def test_options_say_what_is_wanted_and_json_is_for_scripts(mailsyncd):
    with serving(Pop3Server) as port:
        code, out, _ = call(
            mailsyncd, "127.0.0.1", "--port", str(port), "--empty-server", "--one-device", "--json",
            "--login", "ada", "--password-command", "printf lovelace",
        )  # fmt: skip
    assert code == 0
    advice = json.loads(out)
    assert advice["protocol"] == "pop3"
    assert "leave_on_server = false" in advice["config"]


def test_nothing_that_answers_is_status_1_with_every_place_tried(mailsyncd):
    code, out, _ = call(mailsyncd, "127.0.0.1", "--port", "1")
    assert code == 1
    assert "127.0.0.1:1" in out


def test_what_is_no_address_is_told(mailsyncd):
    code, _, err = call(mailsyncd, "not an address")
    assert code == 2
    assert "neither an address nor a host" in err
