"""`mailsyncd demo`: nothing to configure, what it prints works, and Ctrl-C ends it with 0."""

import json
import poplib
import re
import signal
import socket
import subprocess
import urllib.request
from datetime import datetime
from pathlib import Path


def test_lines_it_prints_work_and_nothing_is_left(mailsyncd, tmp_path):
    """8420 may be taken: here it is for certain. The mail server's own listing shows that the message is gone."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8420))
            taken.listen()
        except OSError:
            taken.close()  # somebody else has it, which is as good
        demo = mailsyncd.start("demo", TMPDIR=str(tmp_path))
        assert demo.stdout is not None
        said = read_until(demo.stdout, "  curl", 3)
        lines = [line.strip() for line in said if line.startswith("  curl")]
        assert ":8420/" not in lines[0]

        listed, deleted, left = (
            subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30, check=True).stdout
            for line in lines
        )
        newest = json.loads(listed)["items"][0]["id"]
        assert newest in lines[1]
        assert json.loads(deleted)["state"] == "done"
        uids = re.match(r"\* SEARCH((?: \d+)+)", left)
        assert uids is not None
        assert len(uids[1].split()) == 11

    home = Path(next(line for line in said if line.startswith("  Mail")).split()[1]).parents[1]
    assert home.is_relative_to(tmp_path)
    assert home.stat().st_mode & 0o777 == 0o700
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=20) == 0
    assert not home.exists()


def read_until(stream, begin, count):
    """What was said until so many lines begin thus."""
    said = []
    while sum(line.startswith(begin) for line in said) < count:
        said.append(stream.readline())
        assert said[-1], f"it ended: {said}"
    return said


def maildrop(url):
    """Unique ids and messages as the POP3 server has them."""
    host, port = re.search(r"@([0-9.]+):([0-9]+)/", url).groups()
    client = poplib.POP3(host, int(port), timeout=20)
    try:
        client.user("pop")
        client.pass_("pop")
        ids = client.uidl()[1]
        return ids, [client.retr(number + 1)[1] for number in range(len(ids))]
    finally:
        client.quit()


def test_pop3_account_has_its_mail_is_polling_and_leaves_its_server_as_it_was(mailsyncd, tmp_path):
    demo = mailsyncd.start("demo", TMPDIR=str(tmp_path))
    said = "".join(read_until(demo.stdout, "  curl", 3))
    token = re.search(r"^  Token +(\S+)$", said, re.MULTILINE)[1]
    base = re.search(r"^  Status +(\S+)/v1/status$", said, re.MULTILINE)[1]
    pop3 = re.search(r"pop3://\S+/", said)[0]

    def ask(method, path):
        request = urllib.request.Request(
            base + path, method=method, headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)

    there = maildrop(pop3)
    assert len(there[0]) == 3

    def is_as_it_should_be(total):
        status = ask("GET", "/v1/status")[1]["accounts"]["pop"]
        assert (status["protocol"], status["state"], status["total"]) == ("pop3", "polling", total)
        last, following = (datetime.fromisoformat(status[name]) for name in ("last_sync", "retry_at"))
        assert last < following

    is_as_it_should_be(3)
    items = ask("GET", "/v1/messages?account=pop")[1]["items"]
    assert len(items) == 3
    code, deleted = ask("DELETE", f"/v1/messages/{items[0]['id']}?wait=20")
    assert (code, deleted["state"], deleted["scope"]) == (200, "done", "local")
    code, job = ask("POST", "/v1/accounts/pop/sync?wait=20")
    assert (code, job["state"]) == (200, "done")
    is_as_it_should_be(2)
    assert ask("GET", "/v1/messages?account=pop")[1]["items"] == items[1:]
    assert maildrop(pop3) == there
