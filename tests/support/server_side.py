"""The server's side as an independent client sees it: imaplib of the standard library."""

import contextlib
import hashlib
import imaplib
import re
import socket
import ssl
import time
from collections.abc import Iterator


def modified_utf7(name: str) -> str:
    """A mailbox name as IMAP4rev1 writes it (RFC 3501 §5.1.3)."""
    parts = re.split(r"([^\x20-\x7e]+)", name.replace("&", "&-"))
    return "".join(part if index % 2 == 0 else "&" + _base64(part) + "-" for index, part in enumerate(parts))


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")


class ServerSide:
    """A second client of the same user."""

    def __init__(self, mailbag) -> None:
        context = ssl.create_default_context(cafile=str(mailbag.server.ca_file))
        self.imap = imaplib.IMAP4_SSL("localhost", mailbag.server.imaps_port, ssl_context=context)
        # imaplib writes a literal and the line's end apart: without this each APPEND waits 40 ms for an acknowledgement.
        self.imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.imap.login(mailbag.user, mailbag.password)
        self._there = getattr(mailbag.server, "there", str)

    def wire(self, mailbox: str) -> str:
        """The name as this server writes it, quoted."""
        name = modified_utf7(self._there(mailbox)).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}"'

    def select(self, mailbox: str = "INBOX") -> None:
        status, data = self.imap.select(self.wire(mailbox))
        assert status == "OK", data

    def uids(self, mailbox: str = "INBOX") -> list[int]:
        self.select(mailbox)
        return [int(uid) for uid in self.imap.uid("SEARCH", "ALL")[1][0].split()]

    def flags(self, mailbox: str = "INBOX") -> dict[int, frozenset[str]]:
        self.select(mailbox)
        _, data = self.imap.uid("FETCH", "1:*", "(UID FLAGS)")
        found = {}
        for line in data:
            if line and (match := re.search(rb"FLAGS \(([^)]*)\)", line)):
                uid = int(re.search(rb"UID (\d+)", line)[1])
                found[uid] = frozenset(match[1].decode().split()) - {"\\Recent"}
        return found

    def bodies(self, mailbox: str = "INBOX") -> dict[int, bytes]:
        self.select(mailbox)
        _, data = self.imap.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
        found = {}
        for item in data:
            if isinstance(item, tuple):
                found[int(re.search(rb"UID (\d+)", item[0])[1])] = item[1]
        return found

    def dates(self, mailbox: str = "INBOX") -> dict[int, float]:
        """INTERNALDATE of each message, in seconds."""
        self.select(mailbox)
        _, data = self.imap.uid("FETCH", "1:*", "(UID INTERNALDATE)")
        return {
            int(re.search(rb"UID (\d+)", line)[1]): time.mktime(imaplib.Internaldate2tuple(line))
            for line in data
            if line
        }

    def digests(self, mailbox: str = "INBOX") -> list[str]:
        return sorted(hashlib.sha256(octets).hexdigest() for octets in self.bodies(mailbox).values())

    def store(self, uids, change: str, flags: str, mailbox: str = "INBOX") -> None:
        self.select(mailbox)
        status, data = self.imap.uid("STORE", ",".join(map(str, uids)), f"{change}FLAGS.SILENT", f"({flags})")
        assert status == "OK", data

    def expunge(self, uids, mailbox: str = "INBOX") -> None:
        if uids:
            self.store(uids, "+", "\\Deleted", mailbox)
            self.imap.uid("EXPUNGE", ",".join(map(str, uids)))

    def append(
        self, octets: bytes, mailbox: str = "INBOX", flags: str = "", *, at: float | None = None
    ) -> None:
        status, data = self.imap.append(self.wire(mailbox), f"({flags})" if flags else None, at, octets)
        assert status == "OK", data

    def takes(self, octets: bytes, mailbox: str = "INBOX") -> bool:
        """Whether the server lets this message in; then it has it."""
        try:
            return self.imap.append(self.wire(mailbox), None, None, octets)[0] == "OK"
        except imaplib.IMAP4.error:
            return False

    def uid_validity(self, mailbox: str) -> int:
        _, data = self.imap.status(self.wire(mailbox), "(UIDVALIDITY)")
        return int(re.search(rb"UIDVALIDITY (\d+)", data[0])[1])

    def delete(self, mailbox: str) -> None:
        status, data = self.imap.delete(self.wire(mailbox))
        assert status == "OK", data

    def rename(self, mailbox: str, name: str) -> None:
        status, data = self.imap.rename(self.wire(mailbox), self.wire(name))
        assert status == "OK", data

    def create(self, mailbox: str) -> None:
        status, data = self.imap.create(self.wire(mailbox))
        assert status == "OK", data

    def has(self, mailbox: str) -> bool:
        return self.imap.status(self.wire(mailbox), "(MESSAGES)")[0] == "OK"

    def ensure(self, mailbox: str) -> None:
        """Create the mailbox unless it is there."""
        if not self.has(mailbox):
            self.create(mailbox)


@contextlib.contextmanager
def server_side(mailbag) -> Iterator[ServerSide]:
    side = ServerSide(mailbag)
    try:
        yield side
    finally:
        with contextlib.suppress(Exception):
            side.imap.logout()
