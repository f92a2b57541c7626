"""The planner: base, local and remote views in, actions out.

Pure: no I/O, no clock, no log. `plan_mailbox` says what differs in one mailbox, `plan_account` decides over all of
them, because a message that vanished in one mailbox and appeared in another was moved. How the views were obtained
is no concern of this module: the first pass and the thousandth take the same way through it.

Rules: flags merge bit by bit against base; a deletion beats a change of flags; a move beats a deletion; what is not
proved missing is left alone (sync.md 8, 9, 10, 12, 16, 20, 27).
"""

from collections.abc import Container, Iterable, Mapping
from typing import Final

from daemon.model.flags import (
    DELETED,
    LETTER_FLAGS,
    NO_FLAGS,
    FlagSet,
    in_spelling_of,
    is_valid_flag,
)
from daemon.model.ids import MailboxName, MaildirName, MessageId, Uid
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView, LocalEntry, LocalView, RemoteEntry, RemoteView
from daemon.sync.actions import (
    AccountPlan,
    FilePlace,
    FlagDifference,
    MailboxFacts,
    MoveRemote,
    Upload,
    actions_of,
    file_of,
    uid_of,
)

NO_STRAYS: Final[Mapping[MessageId, tuple[MailboxName, LocalEntry]]] = {}


def merge_flags(base: FlagSet, local: FlagSet, remote: FlagSet) -> FlagSet:
    """What both sides will have: each flag follows the side that changed it since base.

    Both changed it: then both changed it the same way, since a flag is either there or not.
    """
    return frozenset(
        flag
        for flag in base | local | remote
        if (flag in local if (flag in local) != (flag in base) else flag in remote)
    )


def plan_mailbox(base: BaseView, local: LocalView, remote: RemoteView, *, now: float) -> MailboxFacts:
    """What differs between the three views of one mailbox.

    The views must belong to one UIDVALIDITY: the gate in `sync.guard` stands before this.
    """
    _require_same_validity(base, remote)
    facts = _Gathered()
    known_names = set[MaildirName]()
    for entry in base.entries:
        if entry.maildir_name is not None:
            known_names.add(entry.maildir_name)
        _judge(entry, local, remote, facts, now=now)
    facts.remote_appeared.extend(appeared_in(base, remote))
    facts.local_appeared.extend(
        entry
        for name, entry in local.entries.items()
        if name not in known_names and name not in local.ignored
    )
    return facts.freeze(base.mailbox)


def appeared_in(base: BaseView, remote: RemoteView) -> list[RemoteEntry]:
    """Messages that the server has and base does not know."""
    known = {entry.uid for entry in base.entries}
    return [
        entry
        for uid, entry in remote.changed.items()
        if uid not in known and uid not in remote.vanished and not _is_absent(uid, remote)
    ]


def back_from_aside(base: BaseView, files: Container[MaildirName]) -> UidSet:
    """Messages that were set aside and have their file here again: what came of their flags meanwhile was passed over."""
    return UidSet(
        entry.uid
        for entry in base.entries
        if entry.state is BaseState.ASIDE and entry.uid is not None and entry.maildir_name in files
    )


def plan_account(
    all_facts: Iterable[MailboxFacts],
    *,
    can_move: bool,
    strays: Mapping[MessageId, tuple[MailboxName, LocalEntry]] = NO_STRAYS,
) -> AccountPlan:
    """The actions that make all views equal, moves recognised over mailbox borders.

    A file that is proved missing in one mailbox and lies under the same unique name in another was moved (sync.md 9), and
    so was one of the `strays`: new files whose octets are those of a missing one. `can_move` says that the server can
    tell where a moved message went (UIDPLUS), otherwise it is an upload and a deletion, the deletion last. A message that
    was moved and then deleted by name is moved now and deleted in the next pass, where it is.
    """
    facts = tuple(all_facts)
    paired = _pair_moves(facts, strays, can_move=can_move)
    uploads = tuple(
        Upload(mailbox=fact.mailbox, entry=entry)
        for fact in facts
        for entry in fact.local_appeared
        if (fact.mailbox, entry.maildir_name) not in paired.moved_to
    )
    return AccountPlan(
        uploads=uploads,
        moves=tuple(paired.moves),
        mailboxes=tuple(
            actions_of(fact, paired.moved_from.get(fact.mailbox, set()), paired.sent_as) for fact in facts
        ),
    )


class _Paired:
    """Moves while they are being found: `sent_as` says which upload stands for a file that has gone from where it was."""

    def __init__(self) -> None:
        self.moved_from: dict[MailboxName, set[MaildirName]] = {}
        self.moved_to = set[FilePlace]()
        self.moves: list[MoveRemote] = []
        self.sent_as: dict[FilePlace, FilePlace] = {}


class _Gathered:
    """Facts while they are being found."""

    def __init__(self) -> None:
        self.remote_appeared: list[RemoteEntry] = []
        self.stated: list[BaseEntry] = []
        self.inferred: list[BaseEntry] = []
        self.local_appeared: list[LocalEntry] = []
        self.local_vanished: list[BaseEntry] = []
        self.deleted_by_name: list[BaseEntry] = []
        self.deleted_and_vanished: list[BaseEntry] = []
        self.unburied: list[BaseEntry] = []
        self.undecided: list[BaseEntry] = []
        self.returned: list[BaseEntry] = []
        self.out_of_reach: list[BaseEntry] = []
        self.gone_on_both: list[BaseEntry] = []
        self.unmarked: list[RemoteEntry] = []
        self.flags: list[FlagDifference] = []
        self.retries: list[RemoteEntry] = []

    def freeze(self, mailbox: MailboxName) -> MailboxFacts:
        return MailboxFacts(
            mailbox=mailbox,
            remote_appeared=tuple(sorted(self.remote_appeared, key=lambda entry: entry.uid)),
            remote_vanished_stated=tuple(self.stated),
            remote_vanished_inferred=tuple(self.inferred),
            local_appeared=tuple(self.local_appeared),
            local_vanished=tuple(self.local_vanished),
            deleted_by_name=tuple(self.deleted_by_name),
            deleted_and_vanished=tuple(self.deleted_and_vanished),
            unburied=tuple(self.unburied),
            undecided=tuple(self.undecided),
            returned=tuple(self.returned),
            out_of_reach=tuple(self.out_of_reach),
            gone_on_both=tuple(self.gone_on_both),
            unmarked=tuple(self.unmarked),
            flags=tuple(self.flags),
            retries=tuple(self.retries),
        )


def _require_same_validity(base: BaseView, remote: RemoteView) -> None:
    if base.uid_validity is not None and base.uid_validity != remote.uid_validity:
        raise ValueError(f"views of {base.mailbox!r} are of two UIDVALIDITYs")


def _is_absent(uid: Uid, remote: RemoteView) -> bool:
    return remote.present is not None and uid not in remote.present


def _judge(entry: BaseEntry, local: LocalView, remote: RemoteView, facts: _Gathered, *, now: float) -> None:
    """Put one base entry where it belongs; undecided ones go nowhere."""
    if entry.state is BaseState.UNMATCHED or entry.uid is None:
        _judge_unmatched(entry, local, remote, facts)
        return
    is_stated = entry.uid in remote.vanished
    is_gone_there = is_stated or _is_absent(entry.uid, remote)
    if entry.state is BaseState.MARKED:
        _judge_marked(entry, remote, facts, is_gone_there=is_gone_there)
        return
    if entry.state is BaseState.FAILED:
        _judge_failed(entry, remote, facts, is_gone_there=is_gone_there, now=now)
        return
    if entry.state is BaseState.ASIDE:
        if entry.maildir_name not in local.entries:
            _judge_aside(entry, local, facts, is_gone_there=is_gone_there)
            return
        facts.returned.append(entry)
    is_deleted_by_name = entry.message_id in local.deleted_by_name
    is_gone_here = entry.maildir_name in local.missing
    if is_gone_there:
        if is_gone_here:
            facts.gone_on_both.append(entry)
        elif entry.maildir_name not in local.entries:
            facts.undecided.append(entry)
        else:
            (facts.stated if is_stated or is_deleted_by_name else facts.inferred).append(entry)
    elif is_deleted_by_name:
        (facts.deleted_and_vanished if is_gone_here else facts.deleted_by_name).append(entry)
    elif is_gone_here:
        facts.local_vanished.append(entry)
    elif entry.maildir_name not in local.entries:
        facts.undecided.append(entry)
    else:
        difference = _compare_flags(entry, local, remote)
        if difference is not None:
            facts.flags.append(difference)


def _judge_unmatched(entry: BaseEntry, local: LocalView, remote: RemoteView, facts: _Gathered) -> None:
    """A file without a partner is nobody's but the reader's: only what is done to it here counts (sync.md 8).

    One set aside to which a complete listing has no message is gone there.
    """
    is_aside = entry.state is BaseState.ASIDE and entry.maildir_name not in local.entries
    if entry.maildir_name in local.missing or (is_aside and remote.present is not None):
        facts.gone_on_both.append(entry)
    elif entry.message_id in local.deleted_by_name:
        facts.unburied.append(entry)
    elif entry.message_id in local.wished and entry.maildir_name in local.entries:
        here = local.entries[file_of(entry)]
        wanted = _with_wishes(here.flags, entry, local)
        facts.flags.append(
            FlagDifference(
                base=entry,
                merged=wanted,
                local_add=wanted - here.flags,
                local_remove=here.flags - wanted,
                local_path=here.path,
            )
        )


def _judge_marked(entry: BaseEntry, remote: RemoteView, facts: _Gathered, *, is_gone_there: bool) -> None:
    r"""Left on the server with \Deleted, absent here by decision; someone who removes the flag wants it back.

    One that still has a file was marked by a run that ended before it could remove it.
    """
    if entry.maildir_name is not None:
        facts.unburied.append(entry)
    elif is_gone_there:
        facts.gone_on_both.append(entry)
        return
    seen = remote.changed.get(entry.uid) if entry.uid is not None else None
    if seen is not None and DELETED not in seen.flags:
        facts.unmarked.append(seen)


def _judge_aside(entry: BaseEntry, local: LocalView, facts: _Gathered, *, is_gone_there: bool) -> None:
    """Its file lies where nothing is kept in step: only what was asked for by name, or is done on the server, counts."""
    if is_gone_there:
        facts.gone_on_both.append(entry)
    elif entry.message_id in local.deleted_by_name:
        facts.deleted_and_vanished.append(entry)
    elif entry.message_id in local.wished:
        facts.out_of_reach.append(entry)


def _judge_failed(
    entry: BaseEntry, remote: RemoteView, facts: _Gathered, *, is_gone_there: bool, now: float
) -> None:
    if is_gone_there:
        facts.gone_on_both.append(entry)
    elif entry.uid is not None and entry.retry_at is not None and entry.retry_at <= now:
        seen = remote.changed.get(entry.uid)
        facts.retries.append(seen or RemoteEntry(uid=entry.uid, flags=entry.flags))


def _compare_flags(entry: BaseEntry, local: LocalView, remote: RemoteView) -> FlagDifference | None:
    """The difference of one message's flags, or None where nothing is to be done."""
    here = local.entries[file_of(entry)]
    there = remote.changed.get(uid_of(entry))
    remote_flags = entry.flags if there is None else there.flags
    base_flags = in_spelling_of(entry.flags, remote_flags)
    shown = in_spelling_of(shown_flags(here, base_flags, local), base_flags | remote_flags)
    local_flags = _with_wishes(shown, entry, local, known=base_flags | remote_flags)
    if shown == local_flags == base_flags == remote_flags:
        return None
    merged = merge_flags(base_flags, local_flags, remote_flags)
    kept = storable(merged | remote_flags, remote)
    push_add = (merged - remote_flags) & kept
    push_remove = (remote_flags - merged) & kept
    refused = (merged ^ remote_flags) - kept
    settled = frozenset(
        flag for flag in merged | refused if (flag in remote_flags if flag in refused else flag in merged)
    )
    local_add = merged - shown
    local_remove = shown - merged
    if remote.is_read_only:
        push_add = push_remove = NO_FLAGS
        settled = remote_flags
    if not (push_add or push_remove or local_add or local_remove) and settled == base_flags:
        return None
    return FlagDifference(
        base=entry,
        merged=settled,
        push_add=push_add,
        push_remove=push_remove,
        local_add=local_add,
        local_remove=local_remove,
        local_path=here.path,
    )


def flags_after_move(base: BaseEntry, here: LocalEntry, local: LocalView, remote: FlagSet) -> FlagSet:
    """What a file shows when it has followed its message, whose flags in the new place on the server are `remote`.

    `local` is the mailbox where the file lies. Wishes for flags are in it already, as if the file showed them.
    """
    base_flags = in_spelling_of(base.flags, remote)
    known = base_flags | remote
    shown = in_spelling_of(shown_flags(here, base_flags, local), known)
    return merge_flags(base_flags, _with_wishes(shown, base, local, known=known), remote)


def shown_flags(here: LocalEntry, base: FlagSet, local: LocalView) -> FlagSet:
    """The file's flags, with base's word for keywords that this file cannot show (sync.md 27)."""
    if here.maildir_name in local.unexplained:
        return here.flags | (base - LETTER_FLAGS)
    keywords = base - LETTER_FLAGS
    return here.flags | (
        keywords - in_spelling_of(local.lettered_keywords, keywords) if keywords else NO_FLAGS
    )


def _with_wishes(shown: FlagSet, entry: BaseEntry, local: LocalView, *, known: FlagSet = NO_FLAGS) -> FlagSet:
    """The file's flags with what was asked for over the API laid over them (sync.md 16)."""
    if entry.message_id is None or entry.message_id not in local.wished:
        return shown
    add, remove = (in_spelling_of(wish, shown | known) for wish in local.wished[entry.message_id])
    return (shown | add) - remove


def storable(flags: FlagSet, remote: RemoteView) -> FlagSet:
    r"""Those flags that the server says it keeps; no PERMANENTFLAGS means all (RFC 9051 §7.1). No atom, no keyword."""
    allowed = frozenset(flag for flag in flags if is_valid_flag(flag))
    if remote.permanent_flags is None:
        return allowed
    kept = in_spelling_of(remote.permanent_flags, allowed)
    return frozenset(
        flag
        for flag in allowed
        if flag in kept or (remote.accepts_new_keywords and not flag.startswith("\\"))
    )


def _pair_moves(
    facts: tuple[MailboxFacts, ...],
    strays: Mapping[MessageId, tuple[MailboxName, LocalEntry]],
    *,
    can_move: bool,
) -> _Paired:
    """Vanished here, appeared there: which of the two are one message.

    The same unique name goes before the same octets. A new name in the same mailbox needs nothing of the server.
    """
    appeared: dict[MaildirName, list[tuple[MailboxName, LocalEntry]]] = {}
    for fact in facts:
        for entry in fact.local_appeared:
            appeared.setdefault(entry.maildir_name, []).append((fact.mailbox, entry))
    paired = _Paired()
    for fact in facts:
        missing = (*fact.local_vanished, *fact.deleted_and_vanished)
        for at, base in enumerate((*missing, *fact.undecided)):
            is_missing = at < len(missing)  # else: undecided but for a new name that it has in its mailbox
            name = base.maildir_name
            if name is None:
                continue
            if places := appeared.get(name) if can_move and is_missing else None:
                target, entry = places.pop(0)
            elif base.message_id is not None and base.message_id in strays:
                target, entry = strays[base.message_id]
            else:
                continue
            if (target, entry.maildir_name) in paired.moved_to:
                continue
            if target != fact.mailbox and not (can_move and is_missing):
                paired.sent_as[fact.mailbox, name] = target, entry.maildir_name
                continue
            paired.moved_from.setdefault(fact.mailbox, set()).add(name)
            paired.moved_to.add((target, entry.maildir_name))
            paired.moves.append(MoveRemote(source=fact.mailbox, target=target, base=base, entry=entry))
    return paired
