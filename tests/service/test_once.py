"""One pass for each account, side by side, each with its own outcome."""

import asyncio

import pytest
import structlog

from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.clock import SystemClock
from daemon.model.errors import AuthenticationFailed, ConnectionLost, LocalProtocolError, Throttled
from daemon.model.ids import AccountId
from daemon.model.passes import PassResult
from daemon.model.secret import Secret
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.service.once import sync_once
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync
from tests.support.pop3_bridge import means_of


@pytest.fixture
async def sync(tmp_path):
    """`await sync(*accounts)`: what `mailsyncd sync` does."""
    clock, log = SystemClock(), structlog.get_logger()
    path = tmp_path / "store"
    store = await Store.open(path, clock=clock)

    async def connect(settings, bound, *, distrust) -> ImapClient:
        if settings.id == "buggy":
            raise ZeroDivisionError
        return await ImapClient.connect(
            Endpoint(host=settings.host, port=settings.port, tls=settings.tls), clock=clock
        )

    class Trees(dict):
        def __missing__(self, account) -> MaildirTree:
            return MaildirTree(
                path / "mail" / account,
                layout="maildir++",
                account=account,
                store_id=store.store_id,
                pools=store.pools,
            )

    trees = Trees()

    def open_engine(settings, on_progress) -> ImapSync:
        return ImapSync(
            settings=settings,
            store=store,
            tree=trees[settings.id],
            clock=clock,
            log=log,
            on_progress=on_progress,
        )

    async def read_password(settings) -> Secret:
        return Secret("secret")

    async def run(*accounts, **options):
        return await sync_once(
            accounts,
            store=store,
            connect=connect,
            open_engine=open_engine,
            pop3=means_of(store, trees, clock, log),
            read_password=read_password,
            clock=clock,
            log=log,
            **options,
        )

    yield run
    await store.close()


async def test_each_account_has_its_own_outcome(sync, scripted, imap_account, pop3_account) -> None:
    outcomes = await sync(
        imap_account(scripted.port, "good"),
        imap_account(1, "gone"),
        imap_account(scripted.port, "buggy"),
        pop3_account,
    )
    assert list(outcomes) == ["good", "gone", "buggy", "old"]
    assert outcomes["good"] == PassResult()
    assert isinstance(outcomes["gone"], ConnectionLost)
    assert isinstance(outcomes["buggy"], LocalProtocolError)
    assert isinstance(outcomes["old"], ConnectionLost)


async def test_it_says_goodbye_and_never_idles(sync, scripted, imap_account) -> None:
    await sync(imap_account(scripted.port))
    assert scripted.commands[-1] == "LOGOUT"
    assert "IDLE" not in scripted.commands


async def test_no_accounts_is_no_work(sync) -> None:
    assert await sync() == {}


async def test_refused_logins_are_counted_here_too(sync, scripted, imap_account) -> None:
    scripted.password = "other"
    for _ in range(5):
        outcomes = await sync(imap_account(scripted.port))
        assert isinstance(outcomes["work"], AuthenticationFailed)
    assert scripted.logins == 3


async def test_patience_that_a_server_asked_for_is_kept_over_runs(sync, scripted, imap_account) -> None:
    scripted.on["LOGIN"] = lambda tag, _: (
        f"{tag} BAD Request is throttled. Suggested Backoff Time: 120000 milliseconds\r\n".encode()
    )
    for _ in range(2):
        outcomes = await sync(imap_account(scripted.port))
        assert isinstance(outcomes["work"], Throttled)
    assert scripted.logins == 1


@pytest.mark.dovecot
async def test_mail_comes_down_and_progress_is_told(sync, dovecot, imap_account, tmp_path) -> None:
    for number in range(3):
        await asyncio.to_thread(dovecot.append, b"Subject: %d\r\n\r\nbody\r\n" % number)
    progress = []
    outcomes = await sync(imap_account(dovecot.port, username=dovecot.user), on_progress=progress.append)
    assert outcomes["work"].downloaded == 3
    assert len(list((tmp_path / "store" / "mail" / "work" / "new").iterdir())) == 3
    assert progress[-1].messages_done == progress[-1].messages_total == 3
    assert progress[-1].account == AccountId("work")
    again = await sync(imap_account(dovecot.port, username=dovecot.user))
    assert again["work"].is_quiet


async def test_maildrop_is_polled_once(sync, pop3_account) -> None:
    user = User("me", "secret")
    user.inbox.deliver(b"Subject: a\r\n\r\nhello\r\n", internal_date=1)
    async with Pop3Server([user]) as server:
        account = pop3_account.model_copy(update={"port": server.port})
        assert (await sync(account))["old"].downloaded == 1
        assert (await sync(account))["old"].is_quiet


async def test_announced_removal_is_told_and_begins_at_the_second_run(sync, pop3_account) -> None:
    """decisions.md 4, where no service runs: a script starts from nothing each time."""
    user = User("me", "secret")
    for number in range(150):
        user.inbox.deliver(b"Subject: %d\r\n\r\nhello\r\n" % number, internal_date=1)
    hints = []

    def note(account, hint) -> None:
        hints.append((account, hint))

    async with Pop3Server([user]) as server:
        account = pop3_account.model_copy(update={"port": server.port, "leave_on_server": False})
        first = (await sync(account, on_hint=note))["old"]
        assert (first.downloaded, first.expunged_there) == (150, 0)
        assert [(name, "removes 150 messages" in hint) for name, hint in hints] == [("old", True)]
        second = (await sync(account, on_hint=note))["old"]
    assert second.expunged_there == 150
    assert not user.inbox.messages
    assert len(hints) == 1


async def test_login_delay_is_obeyed_from_one_run_to_the_next(sync, pop3_account) -> None:
    """RFC 2449 §6.5: a script that polls in a loop is told to wait, without a connection."""
    passwords = []

    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"PASS"):
            passwords.append(line)
        return b"+OK\r\nUSER\r\nUIDL\r\nLOGIN-DELAY 900\r\n.\r\n" if line == b"CAPA" else None

    async with Pop3Server([User("me", "secret")]) as server:
        server.intervene = answer
        account = pop3_account.model_copy(update={"port": server.port})
        assert isinstance((await sync(account))[account.id], PassResult)
        refused = (await sync(account))[account.id]
    assert isinstance(refused, Throttled)
    assert 800 < refused.retry_after_seconds <= 900
    assert len(passwords) == 1
