"""The server's side as an independent client sees it: imaplib of the standard library."""

import contextlib
import hashlib
import imaplib
import re
import ssl
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
        self.imap.login(mailbag.user, mailbag.password)

    def select(self, mailbox: str = "INBOX") -> None:
        status, data = self.imap.select(f'"{modified_utf7(mailbox)}"')
        assert status == "OK", data

    def uids(self, mailbox: str = "INBOX") -> list[int]:
        self.select(mailbox)
        return [int(uid) for uid in self.imap.uid("SEARCH", "ALL")[1][0].split()]

    def flags(self, mailbox: str = "INBOX") -> dict[int, frozenset[str]]:
        self.select(mailbox)
        _, data = self.imap.uid("FETCH", "1:*", "(UID FLAGS)")
        found = {}
        for line in data:
            if line and (match := re.search(rb"UID (\d+) FLAGS \(([^)]*)\)", line)):
                found[int(match[1])] = frozenset(match[2].decode().split()) - {"\\Recent"}
        return found

    def bodies(self, mailbox: str = "INBOX") -> dict[int, bytes]:
        self.select(mailbox)
        _, data = self.imap.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
        found = {}
        for item in data:
            if isinstance(item, tuple):
                found[int(re.search(rb"UID (\d+)", item[0])[1])] = item[1]
        return found

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

    def append(self, octets: bytes, mailbox: str = "INBOX", flags: str = "") -> None:
        status, data = self.imap.append(
            f'"{modified_utf7(mailbox)}"', f"({flags})" if flags else None, None, octets
        )
        assert status == "OK", data

    def create(self, mailbox: str) -> None:
        status, data = self.imap.create(f'"{modified_utf7(mailbox)}"')
        assert status == "OK", data


@contextlib.contextmanager
def server_side(mailbag) -> Iterator[ServerSide]:
    side = ServerSide(mailbag)
    try:
        yield side
    finally:
        with contextlib.suppress(Exception):
            side.imap.logout()
