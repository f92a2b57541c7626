"""What both protocols' downloads rest on: order, back-pressure, and an end that leaves neither sinks nor a paused line."""

import pytest

from daemon.model.errors import ConnectionLost, ServerRefused, StoreError
from daemon.net.conversation import Conversation
from daemon.net.deadlines import DEFAULT_TIMERS
from daemon.net.download import SINK_BACKLOG_BYTES, Arrived, Download


class Line:
    """As much of a stream as a download asks of it."""

    def __init__(self) -> None:
        self.is_paused = False

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Talk(Conversation[str]):
    is_inside_unit = False

    def __init__(self) -> None:
        super().__init__(DEFAULT_TIMERS)
        self.line = Line()
        self.is_dropped = False

    @property
    def stream(self):
        return self.line

    def flush(self) -> None:
        raise AssertionError("nothing to send")

    def abort(self, error=None) -> None:
        self.is_dropped = True


class Sink:
    backlog_bytes = 0

    def __init__(self) -> None:
        self.told: list[str] = []

    def write(self, data: memoryview) -> None:
        self.told.append(f"write {len(data)}")
        self.backlog_bytes += len(data)

    async def drain(self) -> None:
        self.told.append("drain")
        self.backlog_bytes = 0

    async def end(self) -> None:
        self.told.append("end")

    def abort(self) -> None:
        self.told.append("abort")


class Scripted(Download[Talk, int, int]):
    """Each step of the script is run when the download waits for the server."""

    def __init__(self, talk: Talk, *steps, most_held_bytes: int = 1000) -> None:
        super().__init__(talk, most_held_bytes=most_held_bytes)
        self.steps = list(steps)
        self.is_listening = False
        self.taken = 0

    async def _listen(self) -> None:
        self.is_listening = True

    def _stop_listening(self) -> None:
        self.is_listening = False

    @property
    def _is_awaiting(self) -> bool:
        return bool(self.steps)

    @property
    def _is_more_planned(self) -> bool:
        return False

    def _fill(self) -> None:
        return

    def _fetched(self, one: Arrived[int]) -> int:
        return one.key

    def _note_taken(self) -> None:
        self.taken += 1

    async def _stir(self) -> None:
        self.steps.pop(0)(self)


def octets(key: int, size: int = 10):
    return lambda download: download._arrive(Arrived(key, size, octets=bytes(size)))


async def take_all(download: Scripted, seen: list[int]) -> None:
    run = download.run()
    while True:
        seen.append(await anext(run))


@pytest.fixture
def talk() -> Talk:
    return Talk()


async def test_messages_come_in_order_and_count_as_taken_when_the_next_is_asked_for(talk):
    download = Scripted(talk, octets(1), octets(2))
    seen = [(one, download.taken, download.is_listening) async for one in download.run()]
    assert seen == [(1, 0, True), (2, 1, True)]
    assert (download.taken, download.is_listening) == (2, False)


async def test_reading_pauses_while_too_much_is_held_and_goes_on_afterwards(talk):
    paused = []

    def flood(download) -> None:
        for key in range(3):
            octets(key, 600)(download)
        paused.append(talk.line.is_paused)

    download = Scripted(talk, flood, lambda _: paused.append(talk.line.is_paused))
    assert [one async for one in download.run()] == [0, 1, 2]
    assert paused == [True, False]


async def test_sink_that_falls_behind_is_waited_for(talk):
    sink = Sink()

    def stream(download) -> None:
        download._sink = sink
        download._write(memoryview(bytes(SINK_BACKLOG_BYTES + 1)))
        assert talk.line.is_paused

    def end(download) -> None:
        assert not talk.line.is_paused
        download._sink = None
        download._arrive(Arrived(1, 10, sink=sink))

    assert [one async for one in Scripted(talk, stream, end).run()] == [1]
    assert sink.told == [f"write {SINK_BACKLOG_BYTES + 1}", "drain", "end"]


async def test_refusal_with_nothing_left_to_come_is_raised_after_what_came(talk):
    def refuse(download) -> None:
        download._error = ServerRefused("no more", status="NO")

    seen: list[int] = []
    with pytest.raises(ServerRefused):
        await take_all(Scripted(talk, octets(1), refuse), seen)
    assert seen == [1]
    assert not talk.is_dropped


async def test_fault_of_the_caller_drops_the_line_and_what_it_has_not_taken(talk):
    sink, unfinished = Sink(), Sink()

    def both(download) -> None:
        download._sink = unfinished
        octets(1)(download)
        download._arrive(Arrived(2, 10, sink=sink))

    run = Scripted(talk, both).run()
    assert await anext(run) == 1
    with pytest.raises(StoreError):
        await run.athrow(StoreError("disk full"))
    assert (sink.told, unfinished.told) == (["abort"], ["abort"])
    assert talk.is_dropped


async def test_lost_line_is_told_after_what_came_before_it(talk):
    def lose(download) -> None:
        octets(2)(download)
        talk.error = ConnectionLost("gone")
        raise talk.error

    def again(_) -> None:
        raise talk.error

    seen: list[int] = []
    with pytest.raises(ConnectionLost):
        await take_all(Scripted(talk, octets(1), lose, again), seen)
    assert seen == [1, 2]
