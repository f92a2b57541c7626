"""A throw-away Dovecot on loopback, and clients on it and on scripted servers."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.model.clock import SystemClock
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient

PASSWORD = "correct horse"
QUICK = Timers(
    silence_seconds=0.6,
    floor_window_seconds=0.6,
    greeting_seconds=0.6,
    handshake_seconds=0.6,
    leave_idle_seconds=0.5,
)

CONFIG = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={password_hash}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/homes/%u
}}
namespace inbox {{
  inbox = yes
  separator = .
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
auth_failure_delay = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


@dataclass(frozen=True)
class Dovecot:
    root: Path
    port: int
    tls_port: int
    ca_file: Path
    uid: int
    gid: int

    def endpoint(self, tls: Tls = Tls.IMPLICIT) -> Endpoint:
        port = self.tls_port if tls is Tls.IMPLICIT else self.port
        return Endpoint(host="localhost", port=port, tls=tls, ca_file=self.ca_file)

    def maildir(self, user: str) -> Path:
        home = self.root / "homes" / user
        for part in ("", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
            (home / part).mkdir(mode=0o700, exist_ok=True)
            os.chown(home / part, self.uid, self.gid)
        return home / "Maildir"


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="session")
def dovecot(tmp_path_factory, certificates) -> Iterator[Dovecot]:
    if shutil.which("dovecot") is None and not Path("/usr/sbin/dovecot").exists():
        pytest.skip("Dovecot is not installed")
    root = Path("/tmp") / f"dc{os.getpid()}"  # short: socket paths have 107 bytes
    root.mkdir(mode=0o755)
    uid, gid, user, group = (
        (65534, 65534, "nobody", "nogroup")
        if os.getuid() == 0
        else (os.getuid(), os.getgid(), os.environ.get("USER", str(os.getuid())), str(os.getgid()))
    )
    (root / "homes").mkdir()
    os.chown(root / "homes", uid, gid)
    issued = certificates.authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(root / "key.pem")
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(root / "cert.pem", append=bool(number))
    server = Dovecot(root, _free_port(), _free_port(), certificates.ca_file, uid, gid)
    (root / "conf").write_text(
        CONFIG.format(
            root=root,
            user=user,
            group=group,
            uid=uid,
            gid=gid,
            port=server.port,
            tls_port=server.tls_port,
            password_hash="{PLAIN}" + PASSWORD.replace(" ", "_"),
        )
    )
    process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", str(root / "conf")], start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.tls_port), 1):
                break
            assert process.poll() is None, (root / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(root, ignore_errors=True)


_users = iter(range(1_000_000))


@pytest.fixture
def user() -> str:
    return f"user{next(_users)}"


@pytest.fixture
async def log_in(dovecot) -> AsyncIterator[Callable[..., Awaitable[ImapClient]]]:
    """A logged-in client: `await log_in(user)`; all are dropped at the end."""
    clients: list[ImapClient] = []

    async def start(user: str, tls: Tls = Tls.IMPLICIT) -> ImapClient:
        client = await ImapClient.connect(dovecot.endpoint(tls), clock=SystemClock())
        clients.append(client)
        await client.authenticate(user, Secret(PASSWORD.replace(" ", "_")))
        return client

    yield start
    for client in clients:
        client.abort()
