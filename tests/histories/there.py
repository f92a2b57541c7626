"""The server's side of a history: what other clients do, on the server in memory and on a real one.

Both say the same of a mailbox, so that one history can be lived over either.
"""

import re
import time
from typing import Protocol

from daemon.demo.mailbox import Mailbox, User
from daemon.model.flags import Flag, FlagSet, normalise_flags
from daemon.wire.imap.names import decode_wire_name
from tests.support.server_side import ServerSide, modified_utf7

Contents = dict[int, tuple[bytes, FlagSet]]


class There(Protocol):
    """Another client of the same user. Names are decoded; UIDs are those of now."""

    def create(self, mailbox: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def delete(self, mailbox: str) -> None: ...
    def append(self, mailbox: str, octets: bytes, flags: set[Flag], date: int) -> int: ...
    def set_flag(self, mailbox: str, uid: int, flag: Flag, *, value: bool) -> None: ...
    def copy(self, mailbox: str, uid: int, target: str) -> int: ...
    def move(self, mailbox: str, uid: int, target: str) -> int: ...
    def expunge(self, mailbox: str, uid: int) -> None: ...
    def reset(self, mailbox: str) -> None: ...
    def mailboxes(self) -> set[str]: ...
    def contents(self, mailbox: str) -> Contents: ...
    def marks(self, mailbox: str) -> tuple[object, ...]: ...


class TwinSide:
    """The user of the server in memory, changed directly. What is gone is no error, as to a client by UID."""

    def __init__(self, user: User) -> None:
        self._user = user

    def create(self, mailbox: str) -> None:
        self._user.create(mailbox)

    def rename(self, old: str, new: str) -> None:
        self._user.rename(old, new)

    def delete(self, mailbox: str) -> None:
        self._user.delete(mailbox)

    def append(self, mailbox: str, octets: bytes, flags: set[Flag], date: int) -> int:
        return self._box(mailbox).deliver(octets, internal_date=date, flags=frozenset(flags))

    def set_flag(self, mailbox: str, uid: int, flag: Flag, *, value: bool) -> None:
        box = self._box(mailbox)
        message = box.messages.get(uid)
        if message is not None:
            box.set_flags(uid, message.flags | {flag} if value else message.flags - {flag})

    def copy(self, mailbox: str, uid: int, target: str) -> int:
        message = self._box(mailbox).messages[uid]
        return self._box(target).deliver(
            message.octets, internal_date=message.internal_date, flags=message.flags
        )

    def move(self, mailbox: str, uid: int, target: str) -> int:
        new = self.copy(mailbox, uid, target)
        self.expunge(mailbox, uid)
        return new

    def expunge(self, mailbox: str, uid: int) -> None:
        self._box(mailbox).expunge([uid])

    def reset(self, mailbox: str) -> None:
        self._box(mailbox).reset(self._user.new_uid_validity())

    def mailboxes(self) -> set[str]:
        return set(self._user.mailboxes)

    def contents(self, mailbox: str) -> Contents:
        return {uid: (one.octets, one.flags) for uid, one in self._box(mailbox).messages.items()}

    def marks(self, mailbox: str) -> tuple[object, ...]:
        box = self._box(mailbox)
        return (box.uid_validity, box.uid_next, box.highest_mod_seq, len(box.messages))

    def _box(self, mailbox: str) -> Mailbox:
        found = self._user.find(mailbox)
        assert found is not None, f"no mailbox {mailbox}"
        return found


class DovecotSide:
    """A second client of a Dovecot user."""

    def __init__(self, mailbag) -> None:
        self._side = ServerSide(mailbag)

    def close(self) -> None:
        self._side.imap.logout()

    def create(self, mailbox: str) -> None:
        self._side.create(mailbox)

    def rename(self, old: str, new: str) -> None:
        self._leave()
        self._ok(self._side.imap.rename(_quoted(old), _quoted(new)))

    def delete(self, mailbox: str) -> None:
        self._leave()
        self._ok(self._side.imap.delete(_quoted(mailbox)))

    def append(self, mailbox: str, octets: bytes, flags: set[Flag], date: int) -> int:
        when = f'"{_date_time(date)}"'
        self._ok(self._side.imap.append(_quoted(mailbox), f"({' '.join(sorted(flags))})", when, octets))
        return self._told("APPENDUID")

    def set_flag(self, mailbox: str, uid: int, flag: Flag, *, value: bool) -> None:
        self._side.store([uid], "+" if value else "-", flag, mailbox)

    def copy(self, mailbox: str, uid: int, target: str) -> int:
        self._side.select(mailbox)
        self._ok(self._side.imap.uid("COPY", str(uid), _quoted(target)))
        return self._told("COPYUID")

    def move(self, mailbox: str, uid: int, target: str) -> int:
        new = self.copy(mailbox, uid, target)
        self.expunge(mailbox, uid)
        return new

    def expunge(self, mailbox: str, uid: int) -> None:
        self._side.expunge([uid], mailbox)

    def reset(self, mailbox: str) -> None:
        """Another mailbox under the old name, with the same messages. Not INBOX, which cannot be replaced."""
        fresh = f"{mailbox} anew"
        self.create(fresh)
        if self._side.uids(mailbox):
            self._ok(self._side.imap.uid("COPY", "1:*", _quoted(fresh)))
        self.delete(mailbox)
        self.rename(fresh, mailbox)

    def mailboxes(self) -> set[str]:
        _, data = self._side.imap.list()
        return {
            decode_wire_name(line.split(b' "/" ')[1].strip(b'"'))
            for line in data
            if not re.search(rb"\\(Noselect|NonExistent)", line)
        }

    def contents(self, mailbox: str) -> Contents:
        bodies, flags = self._side.bodies(mailbox), self._side.flags(mailbox)
        return {uid: (octets, normalise_flags(flags[uid])) for uid, octets in bodies.items()}

    def marks(self, mailbox: str) -> tuple[object, ...]:
        self._leave()
        status, data = self._side.imap.status(
            _quoted(mailbox), "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)"
        )
        assert status == "OK", data
        return (data[0],)

    def _leave(self) -> None:
        if self._side.imap.state == "SELECTED":
            self._side.imap.unselect()

    def _told(self, code: str) -> int:
        """The new UID that a response code ends with."""
        _, data = self._side.imap.response(code)
        return int(data[-1].split()[-1])

    @staticmethod
    def _ok(answer) -> None:
        status, data = answer
        assert status == "OK", data


def _quoted(mailbox: str) -> str:
    return f'"{modified_utf7(mailbox)}"'


def _date_time(seconds: int) -> str:
    return time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(seconds))
