"""daemon.cli.client: HTTP over the control socket, and a plain word when nobody is there."""

import json
import socket

import pytest

from daemon.cli.client import ControlClient, NoService, ServiceRefused


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
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "control.sock"))
    with ControlClient(tmp_path) as client, pytest.raises(NoService, match="no service runs"):
        client.get("/v1/status")


def test_service_that_breaks_the_line_is_no_service(service, tmp_path):
    with ControlClient(tmp_path) as client, pytest.raises(NoService):
        client.get("/not-scripted")
