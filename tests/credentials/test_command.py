"""daemon.credentials.command: a program's first words, within its time, and nothing left running."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from daemon.credentials import command
from daemon.model.errors import CredentialUnavailable

CANARY = "c4nary-s3cret"


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


async def test_output_is_returned():
    assert await command.read_output(sh("echo one; echo two"), os.environ) == b"one\ntwo\n"


async def test_no_shell_is_run():
    assert await command.read_output(("echo", "$HOME;ls"), os.environ) == b"$HOME;ls\n"


async def test_failure_names_the_program_and_status_only(capfd):
    with pytest.raises(CredentialUnavailable, match="sh failed with status 3") as caught:
        await command.read_output(sh(f"echo {CANARY}; echo {CANARY} >&2; exit 3"), os.environ)
    shown = f"{caught.value!r} {caught.value.remedy} {caught.value.__cause__!r}"
    assert CANARY not in shown
    assert CANARY not in "".join(capfd.readouterr())


async def test_program_killed_by_a_signal_is_a_failure():
    with pytest.raises(CredentialUnavailable, match="signal 9"):
        await command.read_output(sh("kill -9 $$"), os.environ)


async def test_absent_program_says_why():
    with pytest.raises(CredentialUnavailable, match="no-such-program cannot be run: No such file"):
        await command.read_output(("/nowhere/no-such-program", CANARY), os.environ)


async def test_service_sockets_are_not_handed_down():
    env = {**os.environ, "NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "KEPT": "yes"}
    said = await command.read_output(("env",), env)
    assert b"KEPT=yes" in said
    assert b"NOTIFY_SOCKET" not in said
    assert b"WATCHDOG" not in said


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


async def pid_in(file: Path) -> int:
    while not (file.exists() and file.read_text(encoding="utf-8").strip()):
        await asyncio.sleep(0.01)
    return int(file.read_text(encoding="utf-8"))


async def gone(pid: int) -> bool:
    for _ in range(200):
        if not is_running(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_program_that_takes_too_long_is_killed_with_its_children(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "RUN_LIMIT_SECONDS", 0.3)
    began = time.monotonic()
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(CredentialUnavailable, match="was stopped"):
        await command.read_output(sh(script), os.environ)
    assert time.monotonic() - began < 5
    assert await gone(await pid_in(tmp_path / "pid"))


async def test_cancelled_read_kills_the_program(tmp_path):
    task = asyncio.create_task(command.read_output(sh(f"echo $$ > {tmp_path}/pid; sleep 60"), os.environ))
    pid = await pid_in(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pid)


async def test_endless_output_is_ended(monkeypatch):
    monkeypatch.setattr(command, "RUN_LIMIT_SECONDS", 0.3)
    with pytest.raises(CredentialUnavailable):
        await command.read_output(("yes",), os.environ)


async def test_child_that_keeps_the_pipe_open_does_not_hold_up():
    began = time.monotonic()
    assert await command.read_output(sh("sleep 3 & echo pw"), os.environ) == b"pw\n"
    assert time.monotonic() - began < 2
    assert await command.read_output(sh("sleep 3 & exit 0"), os.environ) == b""


async def test_no_descriptor_is_left_open():
    await command.read_output(sh("echo pw"), os.environ)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        await command.read_output(sh("echo pw"), os.environ)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
