"""The IMAP side of an account: both ways, with one engine over all its lines."""

from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode
from daemon.service.imap_bridge import ImapBridge


async def test_engine_outlives_its_lines_and_is_made_again_after_a_crash(
    open_house, scripted, imap_account
) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    bridge = house.service.supervisor._runners["work"]._bridge
    assert isinstance(bridge, ImapBridge)
    assert bridge.operation_scope == "server"
    engine = bridge._engine
    await house.control.reconnect("work", wait_seconds=10)
    assert bridge._engine is engine
    bridge.drop_engine()
    assert dict(bridge.held) == {}
    await bridge.recover(lambda progress: None)
    assert bridge._engine is not engine


async def test_watched_mailbox_is_in_step_while_it_is_watched(
    open_house, scripted, imap_account, until
) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    bridge = house.service.supervisor._runners["work"]._bridge
    await until(lambda: bridge.mode_of("INBOX") is WatchMode.IDLE)
    assert bridge.lag_of("INBOX") < 10
    assert bridge.mode_of("Elsewhere") is WatchMode.POLL
