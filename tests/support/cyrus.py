"""A real Cyrus IMAP on loopback: own configuration, own users, gone with the test.

Runs from where it was unpacked, as whoever runs the tests, and as nobody for root, because Cyrus serves no mail as root.
Passwords are asked of `saslauthd`, whose part is played here; a mailbox INBOX comes with the first login.
"""

import contextlib
import os
import pwd
import signal
import socket
import socketserver
import struct
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.certificates import write_certificates
from tests.support.dovecot import PASSWORD, free_ports, mail_ids
from tests.support.filling import append_all
from tests.support.unpacked import door, library_path, programs_of

_START_SECONDS: Final = 20.0
_DIRECTORIES: Final = (
    "conf", "conf/db", "conf/lock", "conf/log", "conf/msg", "conf/proc", "conf/socket", "mail"
)  # fmt: skip

_IMAPD_CONF: Final = """
configdirectory: {home}/conf
defaultpartition: default
partition-default: {home}/mail
hashimapspool: yes
cyrus_user: {user}
admins: admin
altnamespace: {altnamespace}
unixhierarchysep: {unixhierarchysep}
allowplaintext: yes
failedloginpause: 0
autocreate_quota: 0
autocreate_post: 1
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {home}/auth/mux
sasl_mech_list: PLAIN
duplicatesuppression: no
tls_server_cert: {home}/cert.pem
tls_server_key: {home}/key.pem
tls_session_timeout: 0
servername: localhost
{suppressed}
{extra}
"""
_CYRUS_CONF: Final = """
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {home}/imapd.conf -U 30" listen="127.0.0.1:{imap_port}" prefork=0 maxchild=100
  imaps cmd="{programs}/imapd -C {home}/imapd.conf -U 30 -s" listen="127.0.0.1:{imaps_port}" prefork=0 maxchild=100
}}
EVENTS {{
}}
DAEMON {{
  idled cmd="{programs}/idled -C {home}/imapd.conf"
}}
"""


@dataclass
class Cyrus:
    """One server. `suppressed` capabilities are not offered, to try the ways without them."""

    home: Path
    suppressed: str = ""
    has_altnamespace: bool = False
    has_unix_hierarchy: bool = False
    extra: str = ""
    imap_port: int = 0
    imaps_port: int = 0
    password: str = PASSWORD
    name: str = "cyrus"
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ca_file(self) -> Path:
        return self.home / "ca.pem"

    def start(self) -> None:
        """Start, or start again on the same ports with the same mail."""
        root = programs_of("cyrus")
        if not self.imap_port:
            self.imap_port, self.imaps_port = free_ports(2)
            self._write_config(root / "usr/lib/cyrus/bin")
        self._open.enter_context(door(self.home / "auth" / "mux", self._answer))
        sasl = ":".join(map(str, [*root.glob("usr/lib/*/sasl2"), *Path("/usr/lib").glob("*/sasl2")]))
        with (self.home / "stderr.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    str(root / "usr/lib/cyrus/bin/master"),
                    *("-C", str(self.home / "imapd.conf"), "-M", str(self.home / "cyrus.conf")),
                    *("-p", str(self.home / "master.pid"), "-D"),
                ],
                env={**os.environ, "LD_LIBRARY_PATH": library_path(root), "SASL_PATH": sasl},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # on SIGTERM it ends its whole process group
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Cyrus does not start: {(self.home / 'stderr.log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop at once; mail stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._open.close()

    def there(self, mailbox: str) -> str:
        """The name this server has for a mailbox of the user."""
        if mailbox == "INBOX":
            return mailbox
        prefix = "" if self.has_altnamespace else f"INBOX{self.delimiter}"
        return prefix + mailbox.replace("/", self.delimiter)

    @property
    def delimiter(self) -> str:
        return "/" if self.has_unix_hierarchy else "."

    def fill(self, user: str, mailbox: str, messages: Iterable[bytes], *, flags: str = "S") -> int:
        """Put messages on the server; how many."""
        return append_all(self, user, mailbox, messages, flags=flags)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.imap_port), 5) as line:
            return line.recv(16).startswith(b"* OK")
        return False

    def _answer(self, asked: socketserver.StreamRequestHandler) -> None:
        """saslauthd's part: user, password, service and realm, each after its length; OK or NO in the same way."""
        _, password, _, _ = (asked.rfile.read(struct.unpack("!H", asked.rfile.read(2))[0]) for _ in range(4))
        verdict = b"OK" if password == self.password.encode() else b"NO"
        asked.wfile.write(struct.pack("!H", len(verdict)) + verdict)

    def _write_config(self, programs: Path) -> None:
        uid, gid = mail_ids()
        self.home.chmod(0o711)
        (self.home / "auth").mkdir()
        for part in _DIRECTORIES:
            (self.home / part).mkdir()
            os.chown(self.home / part, uid, gid)
        write_certificates(self.home)
        os.chown(self.home / "key.pem", uid, gid)
        places = {"home": self.home, "programs": programs}
        (self.home / "cyrus.conf").write_text(
            _CYRUS_CONF.format(**places, imap_port=self.imap_port, imaps_port=self.imaps_port)
        )
        (self.home / "imapd.conf").write_text(
            _IMAPD_CONF.format(
                home=self.home,
                user=pwd.getpwuid(uid).pw_name,
                altnamespace="yes" if self.has_altnamespace else "no",
                unixhierarchysep="yes" if self.has_unix_hierarchy else "no",
                suppressed=f"suppress_capabilities: {self.suppressed}" if self.suppressed else "",
                extra=self.extra,
            )
        )
