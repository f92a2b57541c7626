"""Worlds in which histories are lived: the server in memory with different extensions, and a real Dovecot.

A world lasts for many histories; each gets a user and a store of its own. The store is a copy of one that has just
been made, which is what spares two thousand histories the making of their databases; it lies in memory where possible.
"""

import contextlib
import copy
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import Mailbox, User
from daemon.model.clock import SystemClock
from daemon.model.mailbox import SpecialUse
from daemon.model.settings import Tls
from daemon.store.store import Store
from tests.conftest import Mailbag
from tests.histories.nouns import TRASH
from tests.histories.powers import POWERS, Power
from tests.histories.there import DovecotSide, There, TwinSide
from tests.support.dovecot import Dovecot, temporary_home
from tests.sync.meddler import Meddler

FIRST_MAILBOXES: Final = ("Archive", "Lists/python")
PASSWORD: Final = "open-sesame"
_NO_CONDSTORE: Final = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS"
_SHORT: Final = frozenset({"CONDSTORE", "QRESYNC", "LIST-STATUS", "LIST-EXTENDED", "ESEARCH", "UNSELECT"})

PATCHY: Final = "twin-no-modseq"


class PatchyUser(User):
    """Most mailboxes of this user have no mod-sequences, INBOX has, on a server that knows them (RFC 7162 §3.1.2.2)."""

    def create(self, name: str, *, special_use: SpecialUse | None = None) -> Mailbox:
        made = super().create(name, special_use=special_use)
        made.has_mod_seqs = made.uid_validity % 3 == 0
        return made


TWINS: Final[dict[str, frozenset[str]]] = {
    "twin-all": frozenset(),
    "twin-no-qresync": frozenset({"QRESYNC"}),
    "twin-no-condstore": frozenset({"CONDSTORE", "MOVE"}),
    "twin-no-uidplus": frozenset({"UIDPLUS"}),
    "twin-bare": _SHORT | {"UIDPLUS", "MOVE", "ENABLE", "NAMESPACE", "SPECIAL-USE"},
}
if Power.FLAGS_WITHOUT_MOD_SEQUENCES in POWERS:
    TWINS[PATCHY] = frozenset()
DOVECOTS: Final = {"dovecot-all": None, "dovecot-plain": _NO_CONDSTORE}
WORLDS: Final = (*TWINS, *DOVECOTS)


@dataclass(kw_only=True)
class Stage:
    """What one history stands on."""

    there: There
    line: Meddler
    store: Path
    template: Path  # what the store is a copy of
    mailbag: SimpleNamespace
    has_uidplus: bool
    has_trash: bool
    is_dovecot: bool
    beginning: Any = None  # the model of a history that begins with everything in step


class World:
    """`async with open_world(name) as world`, then `async with world.stage() as stage` for each history."""

    def __init__(self, home: Path, line: Meddler, *, has_uidplus: bool, has_trash: bool) -> None:
        self._home = home
        self._line = line
        self._has_uidplus = has_uidplus
        self._has_trash = has_trash
        self._count = 0
        self._beginning: Any = None

    async def prepare(self) -> None:
        """Make the store that is copied."""
        store = await Store.open(self._home / "template", clock=SystemClock())
        await store.close()

    def keep(self, stage: Stage, model: Any) -> None:
        """Let every history begin like the one on this stage, whose store is closed; where a server can be copied."""

    @contextlib.asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        """A user nobody has used before, with its first mailboxes, and an empty store."""
        self._count += 1
        path = self._home / f"store{self._count}"
        shutil.copytree(self._home / "template", path)
        self._line.rules.clear()
        self._line.commands.clear()
        self._line.before_command = None
        try:
            with self._user(f"user{self._count}") as (there, name, password):
                mailbag = SimpleNamespace(
                    server=SimpleNamespace(imaps_port=self._line.port, ca_file=None),
                    user=name,
                    password=password,
                )
                yield Stage(
                    there=there,
                    line=self._line,
                    store=path,
                    mailbag=mailbag,
                    has_uidplus=self._has_uidplus,
                    has_trash=self._has_trash,
                    is_dovecot=isinstance(self, _DovecotWorld),
                    template=self._home / "template",
                    beginning=copy.deepcopy(self._beginning),
                )
        finally:
            self._line.before_command = None
            for store in (path, path.with_name(f"{path.name}.backup")):
                shutil.rmtree(store, ignore_errors=True)

    def _user(self, name: str):
        raise NotImplementedError


class _TwinWorld(World):
    users: list[User]
    first: User | None = None
    make_user = User

    def keep(self, stage: Stage, model: Any) -> None:
        shutil.rmtree(self._home / "template")
        shutil.copytree(stage.store, self._home / "template")
        self.first, self._beginning = copy.deepcopy(self.users[0]), copy.deepcopy(model)

    @contextlib.contextmanager
    def _user(self, name: str):
        user = copy.deepcopy(self.first)
        if user is None:
            user = self.make_user("reader", PASSWORD)
            user.create(TRASH, special_use=SpecialUse.TRASH)
            for mailbox in FIRST_MAILBOXES:
                user.create(mailbox)
        self.users[:] = [user]
        yield TwinSide(user), user.name, PASSWORD


class _DovecotWorld(World):
    server: Dovecot

    @contextlib.contextmanager
    def _user(self, name: str):
        mailbag = Mailbag(self.server, name)
        side = DovecotSide(mailbag)
        try:
            for mailbox in FIRST_MAILBOXES:
                side.create(mailbox)
            yield side, name, mailbag.password
        finally:
            with contextlib.suppress(Exception):
                side.close()
            shutil.rmtree(self.server.home / "mail" / name, ignore_errors=True)


TLS: Final = Tls.NONE  # both servers on loopback, so that the line can be meddled with


@contextlib.asynccontextmanager
async def open_world(name: str) -> AsyncIterator[World]:
    """The world of that name; everything of it is gone afterwards."""
    with contextlib.ExitStack() as stack:
        memory = Path("/dev/shm")
        place = memory if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30 else None
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="histories-", dir=place)))
        world: World
        if name in TWINS:
            users: list[User] = []
            async with ImapServer(users, without=TWINS[name]) as server, Meddler(server.port) as line:
                world = _TwinWorld(
                    home,
                    line,
                    has_uidplus="UIDPLUS" not in TWINS[name],
                    has_trash="SPECIAL-USE" not in TWINS[name],
                )
                world.users = users
                if name == PATCHY:
                    world.make_user = PatchyUser
                await world.prepare()
                yield world
            return
        server_home = stack.enter_context(temporary_home())
        dovecot = Dovecot(server_home, capability=DOVECOTS[name], auto="no", protocols="imap")
        stack.callback(dovecot.stop)
        dovecot.start()
        async with Meddler(dovecot.imap_port) as line:
            world = _DovecotWorld(home, line, has_uidplus=True, has_trash=False)
            world.server = dovecot
            await world.prepare()
            yield world
