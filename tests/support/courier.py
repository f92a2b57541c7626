"""A real Courier IMAP and POP3 on loopback: own users, own Maildirs, gone with the test.

Runs from where it was unpacked. Compiled in are the socket of its `authdaemond`, whose part is played here, and the user
`courier`, who does the TLS after STARTTLS. So the server sees a /run and a list of users of its own: a mount namespace, as
an ordinary user within a user namespace. Root in a container that may not mount gets a link at /run/courier for as long as
the tests run, and no STARTTLS.
"""

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import write_certificates
from tests.support.dovecot import PASSWORD, free_ports, mail_ids, own_mail
from tests.support.filling import append_all, write_all
from tests.support.unpacked import door, library_path, programs_of

AS_SHIPPED: Final = (
    "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"
)
_START_SECONDS: Final = 20.0
_RUN_COURIER: Final = Path("/run/courier")
_APART: Final = {
    True: ("unshare", "--mount", "--pid", "--fork", "--kill-child"),
    False: (
        "unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "--pid", "--fork", "--kill-child"
    ),
}  # fmt: skip
_OWN_FILES: Final = """
set -e
mount -t tmpfs run /run
mkdir /run/courier
ln -s "$1" /run/courier/authdaemon
mount --bind "$2/passwd" /etc/passwd
shift 2
exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"
"""


@functools.cache
def _can_be_apart() -> bool:
    """Whether this user may have a /run of its own."""
    command = [*_APART[os.getuid() == 0], "mount", "-t", "tmpfs", "run", "/run"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


_running: dict[str, "Courier"] = {}
"""By the name of the service that each tells `authdaemond`."""


@functools.cache
def _auth_directory() -> Path:
    """Where the door for all servers of this test run is; gone with it."""
    place = Path(tempfile.mkdtemp(prefix="courier-auth-"))
    place.chmod(0o711)
    opened = contextlib.ExitStack()
    opened.callback(shutil.rmtree, place)
    opened.enter_context(door(place / "socket", _answer))
    if not _can_be_apart():
        opened.enter_context(_linked(place))
    atexit.register(opened.close)
    return place


@contextlib.contextmanager
def _linked(auth: Path) -> Iterator[None]:
    """The compiled-in path itself, for root where nothing can be mounted."""
    link = _RUN_COURIER / "authdaemon"
    if link.is_symlink() and not _is_open(link / "socket"):
        shutil.rmtree(_RUN_COURIER)  # of a test run that was killed
    if _RUN_COURIER.exists():
        raise RuntimeError(f"{_RUN_COURIER} is in use, and nothing can be mounted here to hide it")
    _RUN_COURIER.mkdir()
    try:
        link.symlink_to(auth)
        yield
    finally:
        shutil.rmtree(_RUN_COURIER)


def _is_open(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        return True
    return False


def _answer(asked: socketserver.StreamRequestHandler) -> None:
    """authdaemond's part: whose mail it is and where, for the right password."""
    words = [b""]
    while words[0] != b"AUTH":  # lines before it tell where the client comes from
        words = asked.rfile.readline().split()
        if not words:
            return
    service, _, user, password = asked.rfile.read(int(words[1])).split(b"\n")[:4]
    server = _running.get(service.decode())
    if server is None or password != server.password.encode():
        asked.wfile.write(b"FAIL\n")
        return
    home = server.home_of(user.decode())
    uid, gid = mail_ids()
    said = {"UID": uid, "GID": gid, "HOME": home, "ADDRESS": user.decode(), "MAILDIR": home / "Maildir"}
    lines = "".join(f"{key}={value}\n" for key, value in said.items())
    asked.wfile.write(f"{lines}.\n".encode())


@dataclass
class Courier:
    """One server. `capability` replaces what IMAP offers, to try the ways without an extension."""

    home: Path
    capability: str = AS_SHIPPED
    settings: dict[str, str] = field(default_factory=dict)
    imap_port: int = 0
    imaps_port: int = 0
    pop3_port: int = 0
    pop3s_port: int = 0
    password: str = PASSWORD
    name: str = "courier"
    delimiter: str = "."
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def ca_file(self) -> Path:
        return self.home / "ca.pem"

    @property
    def has_starttls(self) -> bool:
        return _can_be_apart()

    @property
    def log(self) -> str:
        return (self.home / "courier.log").read_text(errors="replace")

    def start(self) -> None:
        """Start, or start again on the same ports with the same mail."""
        root = programs_of("courier")
        if not _can_be_apart() and os.getuid() != 0:
            pytest.skip(
                "Courier needs a /run of its own, and this machine lets no ordinary user mount anything"
            )
        if not self.imap_port:
            self.imap_port, self.imaps_port, self.pop3_port, self.pop3s_port = free_ports(4)
            self._prepare()
        _auth_directory()
        _running[self.home.name] = self
        login = root / "usr/lib/courier/courier"
        imap = [login / "imaplogin", root / "usr/bin/imapd", "Maildir"]
        pop3 = [login / "courierpop3login", login / "courierpop3d", "Maildir"]
        tls = [root / "usr/bin/couriertls", "-server", "-tcpd"]
        self._listen(root, self.imap_port, imap)
        self._listen(root, self.imaps_port, [*tls, *imap], IMAP_TLS="1")
        self._listen(root, self.pop3_port, pop3)
        self._listen(root, self.pop3s_port, [*tls, *pop3], POP3_TLS="1")
        deadline = time.monotonic() + _START_SECONDS
        while not all(map(_listens, (self.imap_port, self.imaps_port, self.pop3_port, self.pop3s_port))):
            if any(one.poll() is not None for one in self._processes) or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Courier does not start: {self.log[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop at once; mail stays."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what is apart goes with its first process
            process.wait()
        self._processes.clear()
        _running.pop(self.home.name, None)

    def there(self, mailbox: str) -> str:
        """The name this server has for a mailbox of the user."""
        return mailbox if mailbox == "INBOX" else "INBOX." + mailbox.replace("/", ".")

    def mailbox_dir(self, user: str, mailbox: str = "INBOX") -> Path:
        """The Maildir in which the server keeps this mailbox, for names in ASCII."""
        root = self.home / "mail" / user / "Maildir"
        return root if mailbox == "INBOX" else root / ("." + mailbox.replace("/", "."))

    def fill(self, user: str, mailbox: str, messages: Iterable[bytes], *, flags: str = "S") -> int:
        """Put messages on the server; how many."""
        if mailbox != "INBOX":
            return append_all(self, user, mailbox, messages, flags=flags)
        self.home_of(user)
        as_kept = (octets.replace(b"\r\n", b"\n") for octets in messages)
        count = write_all(self.mailbox_dir(user), as_kept, flags=flags)
        own_mail(self.home / "mail" / user)
        return count

    def _listen(self, root: Path, port: int, command: list[Path | str], **more: str) -> None:
        """One couriertcpd; each starts the programs that serve one connection."""
        listener = [
            root / "usr/sbin/couriertcpd",
            *("-address=127.0.0.1", "-maxprocs=100", "-maxperip=100", "-nodnslookup", "-noidentlookup"),
            *(str(port), *command),
        ]
        apart: list[str] = []
        if _can_be_apart():
            apart = [
                *_APART[os.getuid() == 0],
                "sh",
                "-c",
                _OWN_FILES,
                "sh",
                str(_auth_directory()),
                str(self.home),
            ]
        with (self.home / "courier.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [*apart, *map(str, listener)],
                    env={**self._environment(root), f"AUTHSERVICE{port}": self.home.name, **more},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _environment(self, root: Path) -> dict[str, str]:
        """What Debian's /etc/courier/imapd, imapd-ssl and pop3d set, as shipped but for places and names."""
        found = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": library_path(root),
            "IMAP_CAPABILITY": self.capability,
            "IMAP_CAPABILITY_TLS": f"{self.capability} AUTH=PLAIN",
            "IMAP_KEYWORDS": "1",
            "IMAP_ACL": "1",
            "IMAP_CHECK_ALL_FOLDERS": "0",
            "IMAP_OBSOLETE_CLIENT": "0",
            "IMAP_UMASK": "022",
            "IMAP_ENHANCEDIDLE": "0",
            "IMAP_IDLE_TIMEOUT": "1",  # shipped: 60, the seconds between two looks at the mailbox
            "IMAP_TRASHFOLDERNAME": "Trash",
            "IMAP_EMPTYTRASH": "Trash:7",
            "IMAP_MOVE_EXPUNGE_TO_TRASH": "0",
            "MAILDIRPATH": "Maildir",
            "POP3AUTH": "",
            "POP3AUTH_TLS": "LOGIN PLAIN",
            "TLS_CERTFILE": str(self.home / "server.pem"),
            "COURIERTLS": str(root / "usr/bin/couriertls"),
            "IMAP_STARTTLS": "YES" if self.has_starttls else "NO",
            "POP3_STARTTLS": "YES" if self.has_starttls else "NO",
            "TLS_VERIFYPEER": "NONE",
        }
        # Locks ask gamin, the server for watched files, which is found by its path alone; it ends with what is apart.
        gamin = root / "usr/libexec/gam_server"
        if gamin.exists() and _can_be_apart():
            found |= {"IMAP_USELOCKS": "1", "GAMIN_DEBUG_SERVER": str(gamin), "GAM_CLIENT_ID": self.home.name}
        return found | self.settings

    def home_of(self, user: str) -> Path:
        """The user's home, made when first asked for."""
        home = self.home / "mail" / user
        uid, gid = mail_ids()
        for part in (".", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            (home / part).mkdir(exist_ok=True)
            os.chown(home / part, uid, gid)
        return home

    def _prepare(self) -> None:
        self.home.chmod(0o711)
        (self.home / "mail").mkdir()
        write_certificates(self.home)
        pem = self.home / "server.pem"
        pem.write_bytes((self.home / "key.pem").read_bytes() + (self.home / "cert.pem").read_bytes())
        uid, gid = mail_ids()
        os.chown(pem, uid, gid)
        users = [
            line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("courier:")
        ]
        (self.home / "passwd").write_text("\n".join([*users, f"courier:x:{uid}:{gid}::/:/bin/false\n"]))


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False
