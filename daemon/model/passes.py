"""What a pass did, and how far it is while it runs."""

from dataclasses import dataclass

from daemon.model.ids import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Work of the pass that is running. Totals grow while mailboxes are scanned; bytes are octets of messages."""

    account: AccountId
    messages_done: int
    messages_total: int
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What one pass did. `is_quiet`: it found nothing to do, so both sides are equal.

    `failed` counts messages and mailboxes that were left for later; `held` counts deletions waiting for a person.
    """

    downloaded: int = 0
    uploaded: int = 0
    flags_changed: int = 0
    removed_here: int = 0
    expunged_there: int = 0
    moved: int = 0
    failed: int = 0
    held: int = 0

    @property
    def is_quiet(self) -> bool:
        return not (
            self.downloaded
            or self.uploaded
            or self.flags_changed
            or self.removed_here
            or self.expunged_there
            or self.moved
        )

    def plus(self, other: "PassResult") -> "PassResult":
        """Both together, `other` being the later: what is held now is what it says."""
        return PassResult(
            downloaded=self.downloaded + other.downloaded,
            uploaded=self.uploaded + other.uploaded,
            flags_changed=self.flags_changed + other.flags_changed,
            removed_here=self.removed_here + other.removed_here,
            expunged_there=self.expunged_there + other.expunged_there,
            moved=self.moved + other.moved,
            failed=self.failed + other.failed,
            held=other.held,
        )
