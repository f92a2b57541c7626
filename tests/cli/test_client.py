"""daemon.cli.client: HTTP over the control socket, and a plain word when nobody is there."""

import http.server
import json
import socketserver
import threading

import pytest

from daemon.cli.client import ControlClient, NoService, ServiceRefused


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as scripted in the server's `answers`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = self.server.answers[self.path]
        self.server.asked.append((self.command, self.path))
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


def test_answer_is_its_members(service, tmp_path):
    service.answers = {"/v1/status": (200, b'{"state": "ok"}'), "/x": (202, b'{"id": "1"}')}
    with ControlClient(tmp_path) as client:
        assert client.get("/v1/status") == {"state": "ok"}
        assert client.post("/x") == {"id": "1"}
    assert service.asked == [("GET", "/v1/status"), ("POST", "/x")]


def test_problem_is_raised_with_its_code(service, tmp_path):
    problem = json.dumps({"code": "account_unknown", "detail": "there is none"}).encode()
    service.answers = {"/x": (404, problem), "/y": (200, b"{}")}
    with ControlClient(tmp_path) as client:
        with pytest.raises(ServiceRefused, match="there is none") as caught:
            client.post("/x")
        assert caught.value.code == "account_unknown"
        assert client.get("/y") == {}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_foreign_answer_is_no_service(service, tmp_path, body):
    service.answers = {"/x": (200, body)}
    with ControlClient(tmp_path) as client, pytest.raises(NoService, match="not mailsyncd"):
        client.get("/x")


def test_absent_socket_is_no_service(tmp_path):
    with ControlClient(tmp_path) as client, pytest.raises(NoService, match="no service runs"):
        client.get("/v1/status")


def test_socket_left_behind_is_no_service(tmp_path):
    Server(str(tmp_path / "control.sock"), Handler).server_close()
    with ControlClient(tmp_path) as client, pytest.raises(NoService, match="no service runs"):
        client.get("/v1/status")


def test_service_that_breaks_the_line_is_no_service(service, tmp_path):
    with ControlClient(tmp_path) as client, pytest.raises(NoService):
        client.get("/not-scripted")
