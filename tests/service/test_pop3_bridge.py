"""The POP3 side of an account: one way, and nothing that could be held."""

from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode
from daemon.service.pop3_bridge import Pop3Bridge


async def test_what_happens_here_stays_here_and_nothing_is_held(open_house, pop3_account) -> None:
    async with Pop3Server([User("me", "secret")]) as server:
        house = await open_house(pop3_account.model_copy(update={"port": server.port}))
        await house.reaches(S.POLLING, account="old")
        bridge = house.service.supervisor._runners["old"]._bridge
        assert isinstance(bridge, Pop3Bridge)
        assert (bridge.operation_scope, dict(bridge.held)) == ("local", {})
        assert bridge.mode_of("INBOX") is WatchMode.POLL
        assert 0 <= bridge.lag_of("INBOX") < 10


async def test_engine_is_made_once_and_again_after_a_crash(open_house, pop3_account) -> None:
    async with Pop3Server([User("me", "secret")]) as server:
        house = await open_house(pop3_account.model_copy(update={"port": server.port}))
        await house.reaches(S.POLLING, account="old")
        bridge = house.service.supervisor._runners["old"]._bridge
        engine = bridge._engine
        await bridge.recover(lambda progress: None)
        assert bridge._engine is engine
        bridge.drop_engine()
        await bridge.recover(lambda progress: None)
        assert bridge._engine is not engine


async def test_login_is_not_wanted_before_the_servers_delay_is_over(open_house, pop3_account) -> None:
    async with Pop3Server([User("me", "secret")]) as server:
        capa = b"+OK\r\nUSER\r\nUIDL\r\nLOGIN-DELAY 900\r\n.\r\n"
        server.intervene = lambda line: capa if line == b"CAPA" else None
        house = await open_house(pop3_account.model_copy(update={"port": server.port}))
        await house.reaches(S.POLLING, account="old")
        bridge = house.service.supervisor._runners["old"]._bridge
        bridge.forget_doubts()
        assert 800 < bridge.login_wait_seconds() <= 900
