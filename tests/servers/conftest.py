"""Dovecot, Cyrus and Courier side by side, with their extensions and without; a test here runs on each of them."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Mailbag
from tests.support.courier import Courier
from tests.support.cyrus import Cyrus
from tests.support.dovecot import Dovecot, temporary_home

_numbers = itertools.count(1)
_EXTENSIONS = (
    "ID ENABLE CONDSTORE QRESYNC ESEARCH LIST-EXTENDED LIST-STATUS MOVE MULTIAPPEND OBJECTID LITERAL+ SASL-IR"
    " SPECIAL-USE STATUS=SIZE UNSELECT CHILDREN IDLE COMPRESS=DEFLATE QUOTA APPENDLIMIT=4294967295 METADATA ACL"
)
KINDS: dict[str, Callable] = {
    "dovecot": Dovecot,
    "dovecot-plain": lambda home: Dovecot(home, capability="IMAP4rev1 UIDPLUS NAMESPACE"),
    "cyrus": Cyrus,
    "cyrus-unix": lambda home: Cyrus(
        home, has_altnamespace=True, has_unix_hierarchy=True, extra="munge8bit: no"
    ),
    "cyrus-condstore": lambda home: Cyrus(home, suppressed="QRESYNC ESEARCH LIST-STATUS OBJECTID"),
    "cyrus-plain": lambda home: Cyrus(home, suppressed=_EXTENSIONS),
    "courier": Courier,
    "courier-plain": lambda home: Courier(home, capability="IMAP4rev1 UIDPLUS NAMESPACE"),
}
SPECIAL: dict[str, Callable] = {
    "courier-bare": lambda home: Courier(home, capability="IMAP4rev1"),
    "courier-trash": lambda home: Courier(home, settings={"IMAP_MOVE_EXPUNGE_TO_TRASH": "1"}),
    "cyrus-bare": lambda home: Cyrus(home, suppressed=f"{_EXTENSIONS} NAMESPACE UIDPLUS"),
}
"""Servers for tests of their own."""
UNLIKE = ("dovecot-plain", "cyrus", "cyrus-plain", "courier")
"""Those that differ most, for tests that take long."""

PLAIN = frozenset({"dovecot-plain", "cyrus-plain", "courier-plain"})


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[str], Dovecot | Cyrus | Courier]]:
    """`server_of(kind)`: started when first asked for, one of each for the session."""
    running: dict[str, Dovecot | Cyrus | Courier] = {}
    with contextlib.ExitStack() as stack:

        def get(kind: str) -> Dovecot | Cyrus | Courier:
            if kind not in running:
                server = (KINDS | SPECIAL)[kind](stack.enter_context(temporary_home(f"{kind}-")))
                server.start()
                running[kind] = server
            return running[kind]

        yield get
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.stop(), running.values()))


@pytest.fixture(params=list(KINDS))
def kind(request) -> str:
    return request.param


@pytest.fixture
def mailbag(server_of, kind) -> Mailbag:
    """A user of this kind of server whom nobody has used before."""
    return Mailbag(server_of(kind), f"user{next(_numbers)}")
