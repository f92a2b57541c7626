"""A scripted service on a control socket, and the real command as a process of its own."""

import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as scripted in the server's `answers`: always the same, or one after the other of a list."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))
        scripted = self.server.answers[self.path]
        status, body = scripted.pop(0) if isinstance(scripted, list) else scripted
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.do_GET()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *said) -> None:
        """Nothing."""


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def service(tmp_path):
    """A scripted service on the control socket of the store `tmp_path`."""
    with Server(str(tmp_path / "control.sock"), Handler) as server:
        server.answers, server.asked, server.bodies = {}, [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Mailsyncd:
    """`mailsyncd` with one config, as a person or a unit starts it: an environment of its own, output in pipes."""

    def __init__(self, home: Path) -> None:
        self.config = home / "config.toml"
        self.store = home / "store"
        self.config.write_text(f'[store]\npath = "{self.store}"\n[api]\nlisten = []\n', encoding="utf-8")
        self.config.chmod(0o600)
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", *arguments],
            cwd=Path(__file__).parents[2],
            env={**self._env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def call(self, command: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The command with `--config`, run to its end."""
        process = self.start(command, "--config", str(self.config), *arguments, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def serve(self) -> subprocess.Popen[str]:
        """A running service."""
        process = self.start("run", "--config", str(self.config))
        assert process.stderr is not None
        said = []
        while "service.started" not in (line := process.stderr.readline()):
            said.append(line)
            assert line, f"it ended: {said}"
        return process

    def stop(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def mailsyncd(tmp_path) -> Iterator[Mailsyncd]:
    command = Mailsyncd(tmp_path)
    yield command
    command.stop()
