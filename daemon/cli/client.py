"""A client of the running service, over its control socket: JSON in, JSON out, one connection.

Never imports `daemon.app`. Standard library only, so that `status` can be asked every few seconds for nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from api.sockets import find_control

ANSWER_SECONDS: Final = 30.0
MOST_BYTES: Final = 64 * 1024 * 1024


class NoService(Exception):
    """Nobody answers on the control socket; the text says why."""


class ServiceRefused(Exception):
    """The service answered with a problem (RFC 9457)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ControlClient:
    """Asks one service; close it after use."""

    def __init__(self, store_path: Path) -> None:
        self._connection = _UnixConnection(find_control(store_path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._connection.close()

    def get(self, path: str) -> dict[str, object]:
        """The answer's members.

        Raises:
            NoService: Nobody there.
            ServiceRefused: A problem.
        """
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        """As `get`; `body` goes as JSON."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        headers, octets = {"Accept": "application/json"}, None
        if body is not None:
            headers["Content-Type"] = "application/json"
            octets = json.dumps(body).encode()
        try:
            self._connection.request(method, path, body=octets, headers=headers)
            response = self._connection.getresponse()
            told = response.read(MOST_BYTES)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoService("no service runs on this store") from error
        except PermissionError as error:
            raise NoService("this user may not ask the service: it is for its own user and group") from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoService(f"the service does not answer ({type(error).__name__})") from error
        try:
            members = json.loads(told)
        except ValueError as error:
            raise NoService("what answers on the control socket is not mailsyncd") from error
        if not isinstance(members, dict):
            raise NoService("what answers on the control socket is not mailsyncd")
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise ServiceRefused(str(members.get("code", response.status)), str(members.get("detail", "")))
        return members


class _UnixConnection(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(ANSWER_SECONDS)
            self.sock.connect(str(self._path))
        except BaseException:
            self.sock.close()
            raise
