"""What is known of a line at any time, without asking the server: a view, no I/O."""

from typing import Any, Generic, TypeVar

from daemon.net.conversation import Conversation

SessionT = TypeVar("SessionT", bound=Conversation[Any])


class LineStanding(Generic[SessionT]):
    """The part of a client that only looks at its line."""

    def __init__(self, session: SessionT) -> None:
        self._session = session

    @property
    def bytes_received(self) -> int:
        """Octets on the line, TLS included."""
        return self._session.stream.bytes_received

    @property
    def bytes_sent(self) -> int:
        """Octets on the line, TLS included."""
        return self._session.stream.bytes_sent

    @property
    def is_lost(self) -> bool:
        """Whether the line is gone."""
        return self._session.error is not None
