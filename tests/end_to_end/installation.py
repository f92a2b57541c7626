"""An installation of mailsyncd as its owner has it: a config, a store, and its commands as processes of their own.

Nothing of the service is imported here: what a test sees is what the contract promises, exit codes, HTTP, files, logs.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from tests.support.dovecot import PASSWORD, Dovecot, free_ports

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0  # far more than anything here takes; a loaded machine must not fail a test


@dataclass(frozen=True)
class Login:
    """One user of one server, as `server_side` and `Installation.add` take it."""

    server: Dovecot
    user: str
    password: str = PASSWORD


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def eventually(probe: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy answer of `probe`; the last answer stands in the error when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := await probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {found!r}"
        await asyncio.sleep(0.02)
    return found


class Service:
    """A running `mailsyncd run`."""

    def __init__(self, installation: "Installation", process: subprocess.Popen[bytes], log: Path) -> None:
        self._installation = installation
        self.process = process
        self.log_path = log
        self.token = ""
        self._http: aiohttp.ClientSession | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every line so far; each is JSON, because standard error is no terminal."""
        return [json.loads(line) for line in self.log_path.read_text(encoding="utf-8").splitlines()]

    async def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Answer:
        """An answer over TCP with the admin token."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return await self._asked(self._session(), method, self._installation.url + path, headers, options)

    async def ask_control(self, method: str, path: str, **options: Any) -> Answer:
        """An answer over the control socket, without a token."""
        connector = aiohttp.UnixConnector(str(self._installation.store / "control.sock"))
        async with aiohttp.ClientSession(connector=connector) as http:
            return await self._asked(http, method, "http://localhost" + path, {}, options)

    async def get(self, path: str) -> Any:
        """The JSON of a good answer."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, (path, answer)
        return answer.json

    async def post(self, path: str) -> Any:
        answer = await self.ask("POST", path)
        assert answer.status in {200, 202}, (path, answer)
        return answer.json

    async def account(self, account: str = "work") -> dict[str, Any]:
        return (await self.get("/v1/status"))["accounts"][account]

    async def until_state(self, *states: str, account: str = "work") -> dict[str, Any]:
        """The account's status when it first is in one of `states`."""

        async def probe() -> dict[str, Any] | None:
            status = await self.account(account)
            return status if status["state"] in states else None

        try:
            return await eventually(probe)
        except AssertionError as error:
            raise AssertionError(f"{account} never in {states}: {await self.account(account)}") from error

    async def messages(self, query: str = "limit=500") -> list[dict[str, Any]]:
        """Every message, over all pages."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(f"/v1/messages?{query}{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    async def events(self, query: str = "") -> list[dict[str, Any]]:
        """Every event that is kept, in the journal's order."""
        return (await self.get(f"/v1/events?limit=1000{query}"))["items"]

    async def stream(self, path: str, *, until: str) -> list[str]:
        """Lines of a stream of server-sent events, up to the first that begins with `until`."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        lines: list[str] = []
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            self._session().get(self._installation.url + path, headers=headers) as answer,
        ):
            async for line in answer.content:
                lines.append(line.decode().rstrip("\n"))
                if lines[-1].startswith(until):
                    break
        self._installation.said.append("\n".join(lines).encode())
        return lines

    async def has_started(self) -> None:
        """Return when /readyz says so."""

        async def probe() -> bool:
            assert self.process.poll() is None, self.log_path.read_text(encoding="utf-8")
            with contextlib.suppress(aiohttp.ClientError):
                async with self._session().get(self._installation.url + "/readyz") as answer:
                    return answer.status == 200
            return False

        await eventually(probe)
        self.token = (self._installation.store / "api-token").read_text(encoding="utf-8").strip()

    async def kill(self) -> None:
        """kill -9: not a word to anybody."""
        self.process.kill()
        await self._ended()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self._ended()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
        if self.process.poll() is None:
            await self.kill()

    async def _ended(self) -> int:
        async def probe() -> bool:
            return self.process.poll() is not None

        await eventually(probe)
        return self.process.returncode

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        return self._http

    async def _asked(
        self,
        http: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: dict[str, str],
        options: dict[str, Any],
    ) -> Answer:
        async with http.request(method, url, headers=headers, **options) as response:
            answer = Answer(response.status, dict(response.headers), await response.read())
        self._installation.said.append(repr(answer.headers).encode() + answer.body)
        return answer


@dataclass
class Installation:
    """A home with config and store. `said` keeps whatever left a process: answers and output.

    `handwritten` is a config to take as it is, instead of one with `accounts`.
    """

    home: Path
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: list[bytes] = field(default_factory=list)
    pycache: Path | None = None
    port: int = 0
    handwritten: str | None = None
    _logs: int = 0

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_ports(1)[0]

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, login: Login, account: str = "work", **options: Any) -> None:
        """An account of the config; options replace what would stand there, None leaves a key out."""
        secret = self.home / f"{account}.password"
        secret.write_text(login.password + "\n", encoding="utf-8")
        secret.chmod(0o600)
        keys = {
            "protocol": "imap",
            "host": "localhost",
            "port": login.server.imaps_port,
            "ca_file": str(login.server.ca_file),
            "username": login.user,
            "password_file": str(secret),
            **options,
        }
        self.accounts[account] = {key: value for key, value in keys.items() if value is not None}

    def write_config(self) -> None:
        lines = ["[store]", f"path = {json.dumps(str(self.store))}"]
        lines += ["[api]", f'listen = ["127.0.0.1:{self.port}"]']
        for account, keys in self.accounts.items():
            lines.append(f"[accounts.{account}]")
            # What JSON and TOML write alike: strings, numbers, booleans and lists of them.
            lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
        text = "\n".join(lines) + "\n" if self.handwritten is None else self.handwritten
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)

    def arguments(self, command: str, *more: str) -> list[str]:
        return [sys.executable, "-m", "daemon", command, "--config", str(self.config), *more]

    @property
    def env(self) -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        if "PYTHONPATH" in os.environ:
            env["PYTHONPATH"] = os.environ["PYTHONPATH"]
        if self.pycache is not None:
            env["PYTHONPYCACHEPREFIX"] = str(self.pycache)
        return env

    async def call(self, command: str, *more: str, seconds: float = 90.0) -> Done:
        """A command, run to its end with its output in pipes."""
        return await self._call(self.arguments(command, *more), seconds)

    async def peak_of(self, command: str, *more: str, seconds: float = 90.0) -> tuple[Done, float]:
        """The same, and the most memory it had, in MiB."""
        target = self.home / "spent.json"
        around = [sys.executable, "-I", "-S", str(ROOT / "tests" / "support" / "spent.py"), str(target)]
        done = await self._call([*around, *self.arguments(command, *more)], seconds)
        return done, json.loads(target.read_bytes())["peak_mib"]

    async def _call(self, arguments: list[str], seconds: float) -> Done:
        self.write_config()
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.kill()
            await process.communicate()
            raise
        self.said += [out, err]
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @contextlib.asynccontextmanager
    async def running(self, *more: str) -> AsyncIterator[Service]:
        """`mailsyncd run`, ready; killed with the block unless it has ended before."""
        self.write_config()
        self._logs += 1
        log = self.home / f"run{self._logs}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.arguments("run", *more),
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        service = Service(self, process, log)
        try:
            await service.has_started()
            yield service
        finally:
            await service.close()
            self.said.append(log.read_bytes())

    def files(self, account: str = "work", mailbox: str = "") -> dict[str, Path]:
        """Message files by unique name; `mailbox` is the directory's name, "" the INBOX."""
        directory = self.store / "mail" / account / mailbox
        paths = [*directory.glob("new/*"), *directory.glob("cur/*")]
        return {path.name.partition(":")[0]: path for path in paths}
