"""Who takes what a line brings: the contract between `net.stream` and the protocols above it."""

from typing import Protocol

from daemon.model.errors import MailError


class Receiver(Protocol):
    """Takes what arrives. `receive` may raise a MailError, which ends the line with that error."""

    @property
    def is_inside_unit(self) -> bool:
        """Whether a line or literal has begun and is not complete: then the progress floor holds."""
        ...

    def receive(self, data: memoryview) -> None:
        """Octets as they came; the view is void after the call."""
        ...

    def lose(self, error: MailError) -> None:
        """The line is gone; called once, nothing follows."""
        ...
