"""Restored backups: whether the tree or the databases are older than what they were when we last ran.

The tree's id file carries the generation of the store that last used it, and the store remembers which it wrote. Where
the two differ, or the two databases differ from each other, one of them came out of a backup. Every mailbox is then
under review until a pass over it has gone through: files and messages are matched anew, what is missing is fetched
again or kept, nothing is inferred as deleted (decisions.md 2). The review outlives a restart.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.ids import AccountId, MailboxName
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store

_REVIEW: Final = "review"
_TREE_GENERATION: Final = "tree_generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Mailboxes that wait for their review. `is_tree_older`: the files' flags are out of a backup."""

    mailboxes: frozenset[MailboxName] = field(default_factory=frozenset)
    is_tree_older: bool = False


class Backups:
    """Notices a restored backup, and remembers what has not been reviewed since."""

    def __init__(
        self, *, account: AccountId, store: Store, tree: MaildirTree, log: FilteringBoundLogger
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._log = log
        self._is_gap_noted = False
        self._said: tuple[frozenset[MailboxName], frozenset[MailboxName]] | None = None
        self.review = Review()

    async def look(self, mailboxes: Collection[MailboxName]) -> None:
        """Compare generations, once for each start of the store; `mailboxes` are those with a record.

        Raises:
            StoreForeign: The tree is missing or of another store.
        """
        self.review = await self._load()
        if self._store.generation_gap and not self._is_gap_noted:
            self._is_gap_noted = True
            self._log.warning("backup.restored", databases=self._store.findings)
            await self._save(Review(mailboxes=frozenset(mailboxes)))
        in_tree = await self._tree.check_identity()
        raw = await self._store.facts.get(self._account, _TREE_GENERATION)
        written = [int(number) for number in raw.split()] if raw else []
        ours = self._store.generation
        if in_tree == ours and written == [ours]:
            return
        if written and in_tree not in written:
            is_tree_older = in_tree < max(written)
            self._log.warning("backup.restored", tree=in_tree, remembered=raw, is_tree_older=is_tree_older)
            await self._save(Review(mailboxes=frozenset(mailboxes), is_tree_older=is_tree_older))
        # Two numbers while the id file is being written: a stop between the steps is no backup.
        await self._store.facts.set(self._account, _TREE_GENERATION, f"{in_tree} {ours}")
        await self._tree.record_generation(ours)
        await self._store.facts.set(self._account, _TREE_GENERATION, str(ours))

    async def reviewed(self, mailboxes: Collection[MailboxName]) -> None:
        """A pass has gone through these."""
        left = self.review.mailboxes.difference(mailboxes)
        if left != self.review.mailboxes:
            await self._save(Review(mailboxes=left, is_tree_older=self.review.is_tree_older))
            if not left:
                self._log.info("backup.reviewed")

    def tell(self, incomplete: Collection[MailboxName]) -> None:
        """Log what is left after a pass over everything, and why, when it is not what was said last.

        `incomplete` are mailboxes where something failed; the rest has messages that are neither here nor proved missing,
        or is not listed by the server.
        """
        left = self.review.mailboxes
        said = (left, left.intersection(incomplete))
        if left and said != self._said:
            self._log.warning(
                "backup.review_goes_on",
                mailboxes=sorted(left),
                failed=sorted(left.intersection(incomplete)),
                effect="nothing that is missing from them counts as deleted",
            )
        self._said = said

    async def rename(self, old: MailboxName, new: MailboxName) -> None:
        """A mailbox under review has another name."""
        review = await self._load()
        if old in review.mailboxes:
            await self._save(replace(review, mailboxes=review.mailboxes - {old} | {new}))

    async def _load(self) -> Review:
        raw = await self._store.facts.get(self._account, _REVIEW)
        if raw is None:
            return Review()
        kept = json.loads(raw)
        return Review(mailboxes=frozenset(kept["mailboxes"]), is_tree_older=kept["is_tree_older"])

    async def _save(self, review: Review) -> None:
        self.review = review
        text = json.dumps({**asdict(review), "mailboxes": sorted(review.mailboxes)})
        await self._store.facts.set(self._account, _REVIEW, text if review.mailboxes else None)
