"""daemon.config.load: one file in, settings or every problem out."""

from pathlib import Path

import pytest

from daemon.config import load_settings
from daemon.model.errors import ConfigError, ConfigProblem
from daemon.model.settings import DeleteRule, ImapSettings, Pop3Settings, Settings, Tls

IMAP = """
[accounts.work]
protocol = "imap"
host = "imap.example.com"
username = "me@example.com"
password_command = ["pass", "show", "mail"]
"""


@pytest.fixture
def read(tmp_path: Path):
    """Settings of a text; its file is `tmp_path/config.toml`."""

    def read(text: str, *, store: bool = True, mode: int = 0o600, **env: str) -> Settings:
        file = tmp_path / "config.toml"
        file.write_text(('[store]\npath = "/var/lib/mailsyncd"\n' if store else "") + text, encoding="utf-8")
        file.chmod(mode)
        return load_settings(file, env, home=tmp_path / "home")

    return read


@pytest.fixture
def problems(read):
    """The problems of a text, as (key, problem, remedy)."""

    def problems(text: str, **more) -> list[tuple[str, str, str]]:
        with pytest.raises(ConfigError) as caught:
            read(text, **more)
        return [(one.key, one.problem, one.remedy) for one in caught.value.problems]

    return problems


def test_defaults_are_those_of_the_contract(read):
    settings = read(IMAP)
    assert settings.store.path == Path("/var/lib/mailsyncd")
    assert settings.api.listen == ("127.0.0.1:8420",)
    assert settings.warnings == ()
    [account] = settings.accounts
    assert isinstance(account, ImapSettings)
    assert (account.id, account.port, account.tls, account.layout) == ("work", 993, Tls.IMPLICIT, "maildir++")
    assert account.password.command == ("pass", "show", "mail")
    assert account.mailboxes == ("*",)
    assert account.exclude == ()
    assert account.delete is DeleteRule.EXPUNGE
    assert (account.max_connections, account.deletion_limit) == (4, 0.2)


def test_no_accounts_is_fine(read):
    assert read("").accounts == ()


def test_every_key_reaches_its_setting(read, tmp_path):
    settings = read(
        """
[api]
listen = ["0.0.0.0:8420", "[::1]:1", "unix:api.sock"]
token_file = "token"
hosts = ["mail.example.com"]
tls_cert = "c.pem"
tls_key = "k.pem"
behind_proxy = true
trusted_proxies = ["10.0.0.0/8"]
[accounts.a]
protocol = "imap"
host = "::1"
port = 1143
tls = "none"
ca_file = "ca.pem"
username = "me"
password = "pä$$word"
maildir = "~/Mail/a"
layout = "fs"
mailboxes = ["INBOX"]
exclude = ["Spam"]
delete = "trash"
max_connections = 1
deletion_limit = 1
[accounts.b]
protocol = "pop3"
host = "pop.example.com"
tls = "starttls"
username = "me"
password_env = "B"
poll_interval = "1h"
leave_on_server = "14d"
"""
    )
    assert settings.api.listen == ("0.0.0.0:8420", "[::1]:1", f"unix:{tmp_path}/api.sock")
    assert settings.api.token_file == tmp_path / "token"
    assert (settings.api.tls_cert, settings.api.tls_key) == (tmp_path / "c.pem", tmp_path / "k.pem")
    assert settings.api.behind_proxy
    assert settings.api.trusted_proxies == ("10.0.0.0/8",)
    a, b = settings.accounts
    assert isinstance(a, ImapSettings)
    assert (a.host, a.port, a.tls, a.layout, a.ca_file) == ("::1", 1143, Tls.NONE, "fs", tmp_path / "ca.pem")
    assert a.password.literal == "pä$$word"
    assert a.maildir == tmp_path / "home/Mail/a"
    assert (a.mailboxes, a.exclude, a.delete) == (("INBOX",), ("Spam",), DeleteRule.TRASH)
    assert (a.max_connections, a.deletion_limit) == (1, 1.0)
    assert isinstance(b, Pop3Settings)
    assert (b.port, b.poll_interval_seconds, b.leave_on_server) == (110, 3600, 14 * 86_400)


@pytest.mark.parametrize(
    ("protocol", "tls", "port"),
    [
        ("imap", "implicit", 993),
        ("imap", "starttls", 143),
        ("imap", "none", 143),
        ("pop3", "implicit", 995),
        ("pop3", "starttls", 110),
        ("pop3", "none", 110),
    ],
)
def test_port_follows_protocol_and_tls(read, protocol, tls, port):
    [account] = read(
        f'[accounts.a]\nprotocol = "{protocol}"\nhost = "localhost"\ntls = "{tls}"\nusername = "u"\npassword = "p"\n'
    ).accounts
    assert account.port == port


def test_all_problems_come_at_once_in_the_order_of_the_file(problems):
    """Each has its key and what to do; a missing key comes at the end of its table."""
    found = problems(
        """
[store]
pathh = "/var"
group = 3

[accounts.Work]
protocol = "imap"
host = "imaps://imap.example.com"
port = "993"
user = "me"
poll_interval = "5m"

[accounts.b]
protocol = "pop3"
host = "pop.example.com"
username = "me"
password = "one"
password_file = "two"
poll_interval = "10s"
deletion_limit = 0.5

[api]
listen = ["0.0.0.0:8420"]
tokenfile = "x"
""",
        store=False,
    )
    assert [key for key, _, _ in found] == [
        "store.pathh",
        "store.group",
        "store.path",
        "accounts.Work",
        "accounts.Work.host",
        "accounts.Work.port",
        "accounts.Work.user",
        "accounts.Work.poll_interval",
        "accounts.Work.username",
        "accounts.Work.password",
        "accounts.b.password_file",
        "accounts.b.poll_interval",
        "accounts.b.deletion_limit",
        "api.listen",
        "api.tokenfile",
    ]
    by_key = {key: (problem, remedy) for key, problem, remedy in found}
    assert by_key["store.pathh"] == ("no such key", "did you mean path?")
    assert by_key["accounts.Work.user"] == ("no such key", "did you mean username?")
    assert by_key["accounts.Work.port"] == ("is text", "write a number from 1 to 65535, such as 993")
    assert by_key["accounts.Work.poll_interval"][0] == "is for POP3 accounts only"
    assert by_key["accounts.b.deletion_limit"][0] == "is for IMAP accounts only"
    assert by_key["api.tokenfile"][1] == "did you mean token_file?"
    assert all(problem and remedy for _, problem, remedy in found)


def test_each_problem_is_one_line_with_its_file(read, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read('[accounts."a\\nb"]\nx = 1\n["\u202e\\u001b"]\n')
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    assert all(line.startswith(f"{tmp_path}/config.toml: ") for line in lines)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[store\n", "line 1, column 7"),
        ('[store]\npath = "x\n', "line 2, column 10"),
        ("[store]\npath =", "at its end"),
        ("[store]\npath = 1\npath = 2\n", "line 3"),
    ],
)
def test_syntax_errors_name_line_and_column(problems, text, where):
    [(key, problem, _)] = problems(text, store=False)
    assert key == "config"
    assert where in problem


def test_deeply_nested_file_is_a_problem_not_a_crash(problems):
    [(_, problem, _)] = problems("x = " + "[" * 100_000, store=False)
    assert "no valid TOML" in problem


def test_file_that_is_not_utf8_names_its_line(tmp_path):
    file = tmp_path / "config.toml"
    file.write_bytes(b'[store]\npath = "\xff"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {}, home=tmp_path)
    assert caught.value.problems[0].problem == "line 2 is not UTF-8"


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_file_that_cannot_be_read_says_why(tmp_path, kind):
    file = tmp_path / "config.toml"
    if kind == "directory":
        file.mkdir()
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {}, home=tmp_path)
    [problem] = caught.value.problems
    assert problem.file == file
    assert problem.problem in {"does not exist", "cannot be read: Is a directory"}


def test_no_file_anywhere_names_the_three_places(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"XDG_CONFIG_HOME": str(tmp_path)}, home=tmp_path)
    [problem] = caught.value.problems
    assert isinstance(problem, ConfigProblem)
    for place in ("$MAILSYNCD_CONFIG", f"{tmp_path}/mailsyncd/config.toml", "/etc/mailsyncd/config.toml"):
        assert place in problem.problem
    assert "--config" in problem.remedy


SECRET = "c4nary-s3cret"


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{SECRET}"\npassword_env = "{SECRET}"',
        f'password = ["{SECRET}"]',
        f'password_command = "{SECRET}"',
        f'password_command = ["", "{SECRET}"]',
        f'password_credential = "{SECRET}/"',
        f'password_env = "{SECRET}"',
        f'passwort = "{SECRET}"',
        f'password = "{SECRET}',
        f'password = "{SECRET}\\q"',
        f"password = {{ x = '{SECRET}' }}",
    ],
)
def test_no_error_shows_a_secret(read, line):
    with pytest.raises(ConfigError) as caught:
        read(f'[accounts.a]\nprotocol = "imap"\nhost = "h.example"\nusername = "u"\n{line}\n')
    shown = str(caught.value) + repr(caught.value.problems)
    assert SECRET not in shown


def test_repr_of_settings_has_no_password(read):
    settings = read(
        f'[accounts.a]\nprotocol = "imap"\nhost = "h.example"\nusername = "u"\npassword = "{SECRET}"\n'
    )
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("value", ["3", '"x"', "[1]", "true"])
@pytest.mark.parametrize("name", ["store", "api", "accounts"])
def test_table_that_is_none_is_named(problems, name, value):
    found = problems(f"{name} = {value}\n", store=False)
    assert name in [key for key, _, _ in found]


def test_account_key_outside_an_account_is_explained(problems):
    [(key, _, remedy)] = problems('[accounts]\nhost = "imap.example.com"\n')
    assert (key, remedy) == ("accounts.host", "put it into a table [accounts.ID]")


def test_numbers_outside_the_models_bounds_are_problems(problems):
    [(key, problem, remedy)] = problems(IMAP + "max_connections = 33\n")
    assert key == "accounts.work.max_connections"
    assert "32" in problem
    assert "1 to 32" in remedy
