"""Counts of a running pass: what it has done, and how much it knows to be left."""

from collections.abc import Callable
from dataclasses import replace

from daemon.model.ids import AccountId
from daemon.model.passes import PassResult, Progress


class Tally:
    """Adds up a pass. Every `add` and `expect` tells the listener how far the pass is."""

    def __init__(self, account: AccountId, on_progress: Callable[[Progress], None]) -> None:
        self._progress = Progress(
            account=account, messages_done=0, messages_total=0, bytes_done=0, bytes_total=0
        )
        self._on_progress = on_progress
        self.result = PassResult()

    def expect(self, *, messages: int, octets: int) -> None:
        """More work was found."""
        self._progress = replace(
            self._progress,
            messages_total=self._progress.messages_total + messages,
            bytes_total=self._progress.bytes_total + octets,
        )
        self._on_progress(self._progress)

    def transferred(self, *, messages: int, octets: int) -> None:
        """Messages are durable on the side they went to."""
        self._progress = replace(
            self._progress,
            messages_done=self._progress.messages_done + messages,
            bytes_done=self._progress.bytes_done + octets,
        )
        self._on_progress(self._progress)

    def add(self, done: PassResult) -> None:
        """More was done; what is held is known to the end of the pass only."""
        self.result = self.result.plus(done)
