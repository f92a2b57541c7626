"""A real Dovecot on loopback: own configuration, own certificates, own users, gone with the test.

Runs as whoever runs the tests. Mail lies in Maildirs below the server's directory, so a test may look at, and write,
exactly what the server has. Users exist by being named: any name with the one password works.
"""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.certificates import write_certificates
from tests.support.filling import write_all

PASSWORD: Final = "correct-horse"
_START_SECONDS: Final = 20.0

_CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
instance_name = {instance}
log_path = {home}/dovecot.log
info_log_path = {home}/dovecot.log
protocols = {protocols}
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{home}/mail/%u:UTF-8
mail_uid = {user}
mail_gid = {group}
mail_max_userip_connections = 200
mailbox_list_index = yes
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_cache_size = 0
verbose_proctitle = no
maildir_stat_dirs = no
mail_fsync = never
imap_idle_notify_interval = 2 mins
{imap_capability}

passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
    auto = {auto}
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = {auto}
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = {auto}
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = {auto}
  }}
}}
service imap-login {{
  chroot =
  process_min_avail = 0
  service_count = 1
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
    ssl = yes
  }}
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap {{
  process_limit = 300
}}
{extra}
"""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on just now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def find_dovecot() -> str:
    """The dovecot binary; a RuntimeError that says what to install where there is none."""
    path = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise RuntimeError(
            "Dovecot is not installed: `make test` installs it as root or with sudo, "
            "or run: apt-get install dovecot-imapd dovecot-pop3d dovecot-lmtpd"
        )
    return path


@dataclass
class Dovecot:
    """One server. `capability` replaces what IMAP offers, to try the ways without an extension."""

    home: Path
    capability: str | None = None
    extra: str = ""
    auto: str = "create"
    protocols: str = "imap pop3 lmtp"
    imap_port: int = 0
    imaps_port: int = 0
    pop3_port: int = 0
    pop3s_port: int = 0
    lmtp_port: int = 0
    password: str = PASSWORD
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ca_file(self) -> Path:
        return self.home / "ca.pem"

    @property
    def log(self) -> str:
        return (self.home / "dovecot.log").read_text(errors="replace")

    def start(self) -> None:
        """Start, or start again on the same ports with the same mail."""
        if not self.imap_port:
            (
                self.imap_port,
                self.imaps_port,
                self.pop3_port,
                self.pop3s_port,
                self.lmtp_port,
            ) = free_ports(5)
            self._write_config()
        with (self.home / "stderr.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [find_dovecot(), "-F", "-c", str(self.home / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"Dovecot does not start: {(self.home / 'stderr.log').read_text()}\n{self.log[-2000:]}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop at once; mail stays."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def mailbox_dir(self, user: str, mailbox: str = "INBOX") -> Path:
        """The Maildir in which the server keeps this mailbox."""
        root = self.home / "mail" / user
        return root if mailbox == "INBOX" else root / ("." + mailbox.replace("/", "."))

    def fill(self, user: str, mailbox: str, messages: Iterable[bytes], *, flags: str = "S") -> int:
        """Put messages where the server finds them, with its own size hints; how many."""
        count = write_all(self.mailbox_dir(user, mailbox), messages, flags=flags)
        self.own(user)
        return count

    def there(self, mailbox: str) -> str:
        """The name this server has for a mailbox of the user."""
        return mailbox

    def own(self, user: str) -> None:
        """Give the user's mail to the uid that serves it."""
        own_mail(self.home / "mail" / user)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.imap_port), 1) as line:
            return line.recv(16).startswith(b"* OK")
        return False

    def _write_config(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        uid, gid = mail_ids()
        for part in ("mail", "home", "state", "run"):
            (self.home / part).mkdir(exist_ok=True)
            os.chown(self.home / part, uid, gid)
        self.home.chmod(0o711)
        write_certificates(self.home)
        (self.home / "dovecot.conf").write_text(
            _CONFIG.format(
                home=self.home,
                instance=self.home.name,
                user=pwd.getpwuid(uid).pw_name,
                group=grp.getgrgid(gid).gr_name,
                password=self.password,
                imap_capability=f"imap_capability = {self.capability}" if self.capability else "",
                auto=self.auto,
                protocols=self.protocols,
                imap_port=self.imap_port,
                imaps_port=self.imaps_port,
                pop3_port=self.pop3_port,
                pop3s_port=self.pop3s_port,
                lmtp_port=self.lmtp_port,
                extra=self.extra,
            )
        )


def mail_ids() -> tuple[int, int]:
    """Whose the mail is: nobody's for root, because Dovecot serves no mail as root; else our own."""
    if os.getuid() == 0:
        entry = pwd.getpwnam("nobody")
        return entry.pw_uid, entry.pw_gid
    return os.getuid(), os.getgid()


def own_mail(place: Path) -> None:
    """Give what lies there to the uid that serves mail."""
    if os.getuid() == 0:
        uid, gid = mail_ids()
        subprocess.run(["chown", "-R", f"{uid}:{gid}", str(place)], check=True)


@contextlib.contextmanager
def temporary_home(prefix: str = "dovecot-") -> Iterator[Path]:
    """A directory that the mail's uid can reach, which pytest's private one is not; gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
