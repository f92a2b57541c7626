"""daemon.cli.options: settings or a plain word and an exit code."""

import pytest

from daemon.cli.options import exit_with, settings_or_exit
from daemon.model.errors import StoreError


def test_settings_are_read(mailsyncd):
    assert settings_or_exit(mailsyncd.config).store.path == mailsyncd.store


def test_every_problem_is_one_line_and_the_exit_code_2(mailsyncd, capsys):
    mailsyncd.config.write_text("a = 1\nb = 2\n", encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        settings_or_exit(mailsyncd.config)
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_error_is_told_with_its_remedy(capsys):
    with pytest.raises(SystemExit) as caught:
        exit_with(1, StoreError("the disk is full", reason="disk_full", remedy="make room"))
    assert caught.value.code == 1
    assert capsys.readouterr().err == "mailsyncd: the disk is full; make room\n"
