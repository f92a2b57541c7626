"""`mailsyncd check`: 0 fit to run, 2 not; nothing changed, nobody asked."""

from click.testing import CliRunner

from daemon.cli.check import check


def run(config):
    return CliRunner().invoke(check, ["--config", str(config)])


def test_good_config_is_0_and_makes_nothing(mailsyncd):
    done = run(mailsyncd.config)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{mailsyncd.config}: 0 accounts, fit to run\n"
    assert not mailsyncd.store.exists()


def test_warnings_do_not_fail_it(mailsyncd):
    with mailsyncd.config.open("a", encoding="utf-8") as config:
        config.write(
            '[accounts.a]\nprotocol = "imap"\nhost = "h.example"\nusername = "u"\npassword = "c4nary"\n'
        )
    done = run(mailsyncd.config)
    assert done.exit_code == 0
    assert "warning: " in done.stderr
    assert "c4nary" not in done.output


def test_problem_of_the_disk_is_2(mailsyncd):
    mailsyncd.store.touch()
    done = run(mailsyncd.config)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"mailsyncd: {mailsyncd.config}: store.path: ")


def test_absent_config_is_2(tmp_path):
    assert run(tmp_path / "absent.toml").exit_code == 2
