"""`mailsyncd verify`, as a person runs it."""

from tests.support import corpus


def configure(mailsyncd, mailbag, **changes):
    server = mailbag.server
    account = {
        "protocol": "imap",
        "host": "localhost",
        "port": server.imaps_port,
        "ca_file": str(server.ca_file),
        "username": mailbag.user,
        "password": mailbag.password,
        **changes,
    }
    lines = [f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in account.items()]
    with mailsyncd.config.open("a", encoding="utf-8") as file:
        file.write("[accounts.work]\n" + "\n".join(lines) + "\n")


def test_working_account_shows_each_step(mailsyncd, mailbag):
    mailbag.fill("INBOX", corpus.small(2))
    configure(mailsyncd, mailbag)
    done = mailsyncd.call("verify", "work")
    assert done.returncode == 0, done.stderr
    assert [line[:6].strip() for line in done.stdout.splitlines()] == ["ok"] * 6
    assert "2 messages" in done.stdout


def test_wrong_password_is_told_at_its_step(mailsyncd, mailbag):
    configure(mailsyncd, mailbag, password="wrong", protocol="pop3", port=mailbag.server.pop3s_port)
    done = mailsyncd.call("verify", "work")
    assert done.returncode == 1
    assert "FAILED  log in:" in done.stdout
    assert "wrong" not in done.stdout


def test_unknown_account_is_named(mailsyncd, mailbag):
    configure(mailsyncd, mailbag)
    done = mailsyncd.call("verify", "wrok")
    assert done.returncode == 2
    assert "did you mean work" in done.stderr
