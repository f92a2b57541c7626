"""`mailsyncd run`: the service as a process, and the contract's exit codes."""

import signal
import time

import pytest


def test_service_answers_owns_its_store_and_ends_cleanly(mailsyncd):
    """One life: started, asked, a second one refused, a sync done by it, ended by SIGTERM within 5 s."""
    service = mailsyncd.serve()
    assert mailsyncd.call("status").returncode == 0

    second = mailsyncd.call("run")
    assert second.returncode == 75
    assert str(service.pid) in second.stderr.splitlines()[-1]

    began = time.monotonic()
    service.send_signal(signal.SIGTERM)
    assert service.wait(timeout=20) == 0
    assert time.monotonic() - began < 5
    assert mailsyncd.call("status").returncode == 3


def test_interrupt_from_the_keyboard_is_a_clean_end_too(mailsyncd):
    service = mailsyncd.serve()
    service.send_signal(signal.SIGINT)
    assert service.wait(timeout=20) == 0


def test_faulty_config_is_2_with_one_line_a_problem(mailsyncd):
    mailsyncd.config.write_text("[stor]\n[accounts.work]\nhost = 3\n", encoding="utf-8")
    done = mailsyncd.call("run")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 6
    assert all(line.startswith(f"mailsyncd: {mailsyncd.config}: ") for line in lines)


def test_address_that_cannot_be_had_is_2(mailsyncd):
    text = mailsyncd.config.read_text(encoding="utf-8").replace("[]", '["192.0.2.1:8420"]')
    mailsyncd.config.write_text(
        text.replace("[api]", '[api]\ntls_cert = "c.pem"\ntls_key = "k.pem"'), encoding="utf-8"
    )
    done = mailsyncd.call("run")
    assert done.returncode == 2
    assert "api." in done.stderr


@pytest.mark.parametrize("command", ["run", "sync"])
@pytest.mark.parametrize("below", ["", "deeper"])
def test_store_path_that_cannot_be_used_is_2_with_the_setting_and_a_remedy(mailsyncd, command, below):
    mailsyncd.store.write_text("in the way", encoding="utf-8")
    text = mailsyncd.config.read_text(encoding="utf-8")
    path = mailsyncd.store / below
    text = text.replace(str(mailsyncd.store), str(path))
    mailsyncd.config.write_text(
        text + '[accounts.old]\nprotocol = "pop3"\nhost = "h"\nusername = "u"\npassword_env = "X"\n',
        encoding="utf-8",
    )
    done = mailsyncd.call(command)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"mailsyncd: store.path: {path} cannot be made: ")
    assert "name another one" in last
