"""A scripted service on a control socket."""

import http.server
import socketserver
import threading

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
        server.answers, server.asked = {}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
