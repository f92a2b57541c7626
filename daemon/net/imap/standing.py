"""What is known of a connection at any time, without asking the server: a view, no I/O."""

from daemon.net.imap.session import Session
from daemon.net.imap.values import Selection
from daemon.net.standing import LineStanding
from daemon.wire.imap.capabilities import Capabilities


class ImapStanding(LineStanding[Session]):
    """The part of `ImapClient` that only looks."""

    @property
    def caps(self) -> Capabilities:
        """What the server can do and keeps its word about."""
        return self._session.caps

    @property
    def has_qresync(self) -> bool:
        """QRESYNC is enabled and believed."""
        return self.caps.has("QRESYNC") and "QRESYNC" in self._session.connection.enabled

    @property
    def has_condstore(self) -> bool:
        """Mod-sequences may be asked for; a mailbox may still have none (`Selection.highest_mod_seq` None)."""
        return self.caps.has("CONDSTORE")

    @property
    def _has_mod_seq(self) -> bool:
        selection = self._session.selection
        return selection is not None and selection.highest_mod_seq is not None

    @property
    def selection(self) -> Selection | None:
        """The selected mailbox, its numbers kept current from what the server says.

        `highest_mod_seq` is the largest value told, not a mark to store (sync.md 5).
        """
        return self._session.selection

    @property
    def as_selected(self) -> Selection | None:
        """The selected mailbox as its SELECT told of it; the same object until another SELECT."""
        return self._session.as_selected

    @property
    def is_compressed(self) -> bool:
        """Whether both sides deflate."""
        return self._session.stream.is_compressed

    @property
    def has_notify(self) -> bool:
        """NOTIFY was accepted and still holds; False after NOTIFICATIONOVERFLOW."""
        return self._session.is_notifying

    @property
    def has_own_news(self) -> bool:
        """Whether something was heard of the selected mailbox that no scan and no `drain_heard` has taken yet."""
        return self._session.heard.has_own_news

    @property
    def has_comings_or_goings(self) -> bool:
        """Whether part of that is that messages came or went: a server may keep flags to itself (RFC 9051 §5.2)."""
        return self._session.heard.has_comings_or_goings

    @property
    def distrusted(self) -> frozenset[str]:
        """Capabilities that proved false on this line: hand them to the next `connect` to this host."""
        return self._session.distrusted

    @property
    def broken(self) -> frozenset[str]:
        """Those that broke on this line itself: another line would break as well."""
        return self._session.broken

    @property
    def doubted(self) -> frozenset[str]:
        """Those that were found on this line to keep something back, for which a server may be mended."""
        return self._session.doubted

    def distrust(self, *names: str) -> None:
        """Believe these capabilities no longer on this line; adds to `distrusted` and `broken`."""
        self._session.distrust(names)

    def doubt(self, *names: str) -> None:
        """Believe these capabilities no longer on this line; adds to `distrusted` and `doubted`."""
        self._session.doubt(names)
