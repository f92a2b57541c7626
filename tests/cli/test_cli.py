"""daemon.cli: the command and its help, fast, with the same options everywhere."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from daemon import __version__
from daemon.cli import exits, mailsyncd

COMMANDS = ["advise", "approve", "check", "demo", "held", "run", "status", "sync", "verify"]


def test_commands_are_those_that_work():
    assert sorted(mailsyncd.commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_config(command):
    done = CliRunner().invoke(mailsyncd, [command, "--help"])
    assert done.exit_code == 0
    assert "--config PATH" in done.stdout
    assert "Exit status: 0" in done.stdout


def test_version_is_the_packages():
    assert CliRunner().invoke(mailsyncd, ["--version"]).stdout == f"mailsyncd {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["run", "--no-such-option"], ["run", "--log-level", "x"]]
)
def test_mistake_on_the_command_line_is_2(arguments):
    assert CliRunner().invoke(mailsyncd, arguments).exit_code == exits.USAGE == 2


def test_help_imports_nothing_heavy():
    """The stack takes most of a second to import; help must be there at once."""
    code = (
        "import json, sys\n"
        "from click.testing import CliRunner\n"
        "from daemon.cli import mailsyncd\n"
        "for command in ([], ['run'], ['sync'], ['check'], ['verify'], ['status'], ['advise'], ['demo']):\n"
        "    assert CliRunner().invoke(mailsyncd, [*command, '--help']).exit_code == 0\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    heavy = {"pydantic", "sqlalchemy", "aiohttp", "apscheduler", "structlog", "ssl", "sqlite3"}
    assert not heavy & set(json.loads(done.stdout))


def test_package_that_was_written_over_is_noticed(tmp_path):
    """PyPI's python-daemon installs a package `daemon` too."""
    package = tmp_path / "daemon"
    package.mkdir()
    (package / "daemon.py").touch()
    code = (
        f"import daemon; daemon.__path__.append({str(package)!r})\n"
        "from daemon.cli import main; import sys; sys.argv = ['mailsyncd', '--help']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "python-daemon" in done.stderr


def test_names_are_utf8_whatever_the_locale(tmp_path):
    home = tmp_path / "Büro"
    home.mkdir()
    (home / "config.toml").write_text('[store]\npath = "Läden"\n', encoding="utf-8")
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "check", "--config", home / "config.toml"],
        env=env,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{home}/config.toml: 0 accounts, fit to run\n"
