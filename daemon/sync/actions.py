"""What a plan consists of: facts about one mailbox, and actions for an account.

Frozen values only. An action names everything its execution needs, so that it can be carried out, logged and shown
without looking at the views again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import MailboxName, MaildirName, MessageId, Uid
from daemon.model.views import BaseEntry, LocalEntry, RemoteEntry

FilePlace = tuple[MailboxName, MaildirName]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagDifference:
    """A message whose flags differ somewhere; `merged` is what all three views will have.

    `push_add` and `push_remove` go to the server, `local_add` and `local_remove` to the file.
    """

    base: BaseEntry
    merged: FlagSet
    push_add: FlagSet = NO_FLAGS
    push_remove: FlagSet = NO_FLAGS
    local_add: FlagSet = NO_FLAGS
    local_remove: FlagSet = NO_FLAGS
    local_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxFacts:
    """What differs between base, local and remote in one mailbox. Facts, not yet decisions.

    `remote_vanished_stated` were declared gone by the server, `remote_vanished_inferred` are merely absent from a
    complete listing. `deleted_by_name` were asked for over the API; of those, `deleted_and_vanished` have no file here
    any more, so that they may have been moved first. `unburied` are removed here by a decision that asks nothing of the
    server. `undecided` were not listed and are not proved to be missing either: nothing is known of them in this pass.
    `unread` are new files that may be messages which are missing somewhere, and cannot be read to tell. `set_aside` have
    their file in a directory that is not kept in step, `returned` have it in step again, here or where it was moved;
    `out_of_reach` are set aside, and somebody asked for flags that no file can show.
    """

    mailbox: MailboxName
    remote_appeared: tuple[RemoteEntry, ...] = ()
    remote_vanished_stated: tuple[BaseEntry, ...] = ()
    remote_vanished_inferred: tuple[BaseEntry, ...] = ()
    local_appeared: tuple[LocalEntry, ...] = ()
    local_vanished: tuple[BaseEntry, ...] = ()
    deleted_by_name: tuple[BaseEntry, ...] = ()
    deleted_and_vanished: tuple[BaseEntry, ...] = ()
    unburied: tuple[BaseEntry, ...] = ()
    undecided: tuple[BaseEntry, ...] = ()
    unread: tuple[LocalEntry, ...] = ()
    set_aside: tuple[BaseEntry, ...] = ()
    returned: tuple[BaseEntry, ...] = ()
    out_of_reach: tuple[BaseEntry, ...] = ()
    gone_on_both: tuple[BaseEntry, ...] = ()
    unmarked: tuple[RemoteEntry, ...] = ()
    flags: tuple[FlagDifference, ...] = ()
    retries: tuple[RemoteEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Fetch a message and store it. `is_retry` when an earlier attempt failed."""

    mailbox: MailboxName
    entry: RemoteEntry
    is_retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Append a local file to its mailbox on the server."""

    mailbox: MailboxName
    entry: LocalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRemote:
    """A file was moved here; the same is done there with UID MOVE, no octet of the message crosses the line.

    Apply still proves size and digest before it acts (sync.md 9). Where source and target are one mailbox the file has
    only another unique name now, which is no business of the server.
    """

    source: MailboxName
    target: MailboxName
    base: BaseEntry
    entry: LocalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveLocal:
    """A message was moved on the server: its file follows by one rename, no octet of it crosses the line.

    `lies_in` is where the file is now: the source, or where somebody moved it here meanwhile; the server's move counts.
    `file` has the flags that the file will show there: its own and the server's changes together.
    """

    source: MailboxName
    target: MailboxName
    base: BaseEntry
    entry: RemoteEntry
    lies_in: MailboxName
    file: LocalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFlags:
    """Bring the flags of server, file and base together."""

    mailbox: MailboxName
    difference: FlagDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpungeRemote:
    """Remove a message on the server by the account's `delete` rule. `is_inferred`: concluded from a missing file.

    `sent_as` is the file under another name that is sent up in its stead, if any: until the server has that one, the
    message stays.
    """

    mailbox: MailboxName
    base: BaseEntry
    is_inferred: bool
    sent_as: FilePlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLocal:
    """Remove a file: the server no longer has its message, or it was decided here. `is_inferred`: from a listing."""

    mailbox: MailboxName
    base: BaseEntry
    is_inferred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Drop the row of a message that is gone on both sides."""

    mailbox: MailboxName
    base: BaseEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Refetch:
    """A file is missing in a restored backup, which proves nothing: its row goes, the message comes down again."""

    mailbox: MailboxName
    base: BaseEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxActions:
    """The actions of one mailbox, in the order in which they are carried out; inferred expunges run last of all.

    `burials` were decided here and are no business of the breaker, `removals` follow the server.
    """

    mailbox: MailboxName
    forgets: tuple[Forget, ...] = ()
    burials: tuple[RemoveLocal, ...] = ()
    deletions: tuple[ExpungeRemote, ...] = ()
    flags: tuple[ChangeFlags, ...] = ()
    downloads: tuple[Download, ...] = ()
    refetches: tuple[Refetch, ...] = ()
    removals: tuple[RemoveLocal, ...] = ()
    expunges: tuple[ExpungeRemote, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (
            self.forgets
            or self.burials
            or self.deletions
            or self.flags
            or self.downloads
            or self.refetches
            or self.removals
            or self.expunges
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """All that one pass will do: files that follow, uploads and moves first, then mailbox by mailbox."""

    relocations: tuple[MoveLocal, ...] = ()
    uploads: tuple[Upload, ...] = ()
    moves: tuple[MoveRemote, ...] = ()
    mailboxes: tuple[MailboxActions, ...] = field(default=())


def actions_of(
    fact: MailboxFacts, moved_away: Collection[MaildirName], sent_as: Mapping[FilePlace, FilePlace]
) -> MailboxActions:
    """What the facts of one mailbox ask for; files that `moved_away` are the business of their moves.

    `sent_as` says which new file is sent up in the stead of one that is missing, as far as that is known.
    """
    mailbox = fact.mailbox
    return MailboxActions(
        mailbox=mailbox,
        forgets=tuple(Forget(mailbox=mailbox, base=entry) for entry in fact.gone_on_both),
        burials=tuple(RemoveLocal(mailbox=mailbox, base=entry, is_inferred=False) for entry in fact.unburied),
        deletions=tuple(
            ExpungeRemote(mailbox=mailbox, base=entry, is_inferred=False)
            for entry in (*fact.deleted_by_name, *fact.deleted_and_vanished)
            if entry.maildir_name not in moved_away
        ),
        flags=tuple(ChangeFlags(mailbox=mailbox, difference=difference) for difference in fact.flags),
        downloads=(
            *(Download(mailbox=mailbox, entry=entry) for entry in fact.remote_appeared),
            *(
                Download(mailbox=mailbox, entry=entry, is_retry=True)
                for entry in (*fact.retries, *fact.unmarked)
            ),
        ),
        removals=(
            *(
                RemoveLocal(mailbox=mailbox, base=entry, is_inferred=False)
                for entry in fact.remote_vanished_stated
            ),
            *(
                RemoveLocal(mailbox=mailbox, base=entry, is_inferred=True)
                for entry in fact.remote_vanished_inferred
            ),
        ),
        expunges=tuple(
            ExpungeRemote(
                mailbox=mailbox,
                base=entry,
                is_inferred=True,
                sent_as=sent_as.get((mailbox, file_of(entry))),
            )
            for entry in fact.local_vanished
            if entry.maildir_name not in moved_away
        ),
    )


def message_of(entry: BaseEntry) -> MessageId:
    """The id of a base entry that has a file; a LookupError here is a defect of the planner."""
    if entry.message_id is None:
        raise LookupError(f"base entry of UID {entry.uid} has no message")
    return entry.message_id


def file_of(entry: BaseEntry) -> MaildirName:
    """The unique name of a base entry that has a file."""
    if entry.maildir_name is None:
        raise LookupError(f"base entry of UID {entry.uid} has no file")
    return entry.maildir_name


def uid_of(entry: BaseEntry) -> Uid:
    """The UID of a base entry that is on the server."""
    if entry.uid is None:
        raise LookupError(f"message {entry.message_id} has no UID")
    return entry.uid
