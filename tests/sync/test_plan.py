"""The planner by cases: three views before, facts and actions after."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.flags import DELETED, FLAGGED, NO_FLAGS, SEEN, Flag
from daemon.model.ids import MailboxName, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView, LocalEntry, LocalView, RemoteEntry, RemoteView
from daemon.sync.actions import MailboxFacts
from daemon.sync.plan import merge_flags, plan_account, plan_mailbox

INBOX = MailboxName("INBOX")
ARCHIVE = MailboxName("Archive")
VALIDITY = UidValidity(7)
NOW = 1000.0
KEYWORD = Flag("work")


def base_entry(uid=1, name="a", flags=NO_FLAGS, state=BaseState.SYNCED, message="m1", retry_at=None):
    return BaseEntry(
        message_id=MessageId(message) if message else None,
        uid=Uid(uid) if uid else None,
        maildir_name=MaildirName(name) if name else None,
        flags=frozenset(flags),
        state=state,
        retry_at=retry_at,
    )


def base(*entries, mailbox=INBOX, validity=VALIDITY):
    return BaseView(
        mailbox=mailbox,
        uid_validity=validity,
        uid_next=Uid(100),
        highest_mod_seq=ModSeq(5),
        entries=tuple(entries),
    )


def local(files=(), mailbox=INBOX, **rest):
    """`files` is name -> flags."""
    entries = {
        MaildirName(name): LocalEntry(
            maildir_name=MaildirName(name), path=f"cur/{name}:2,", flags=frozenset(flags)
        )
        for name, flags in dict(files).items()
    }
    return LocalView(mailbox=mailbox, entries=entries, **rest)


def remote(changed=(), mailbox=INBOX, vanished=(), present=None, **rest):
    """`changed` is uid -> flags."""
    return RemoteView(
        mailbox=mailbox,
        uid_validity=VALIDITY,
        uid_next=Uid(100),
        highest_mod_seq=ModSeq(9),
        message_count=10,
        changed={
            Uid(uid): RemoteEntry(uid=Uid(uid), flags=frozenset(flags))
            for uid, flags in dict(changed).items()
        },
        vanished=UidSet(vanished),
        present=None if present is None else UidSet(present),
        **rest,
    )


def facts_of(base_view, local_view, remote_view):
    return plan_mailbox(base_view, local_view, remote_view, now=NOW)


def is_quiet(facts: MailboxFacts) -> bool:
    return facts == MailboxFacts(mailbox=facts.mailbox)


class TestNothingToDo:
    def test_equal_views_give_no_facts(self):
        facts = facts_of(base(base_entry(flags={SEEN})), local({"a": {SEEN}}), remote({1: {SEEN}}))
        assert is_quiet(facts)

    def test_message_not_reported_by_a_delta_scan_is_unchanged(self):
        assert is_quiet(facts_of(base(base_entry()), local({"a": ()}), remote()))

    def test_file_absent_but_not_proved_missing_is_left_alone(self):
        """A MUA renames during the scan: absence in one listing is no deletion (sync.md 12)."""
        facts = facts_of(base(base_entry()), local(), remote())
        assert [entry.uid for entry in facts.undecided] == [1]
        assert plan_account([facts], can_move=True).mailboxes[0].is_empty

    def test_flags_of_a_file_that_nobody_saw_are_not_agreed_upon(self):
        """Base would say what the file never got, and the next pass would take the file's old flags for a wish."""
        facts = facts_of(base(base_entry()), local(), remote({1: {SEEN}}))
        assert not facts.flags
        assert len(facts.undecided) == 1


class TestUnmatched:
    entry = base_entry(uid=None, state=BaseState.UNMATCHED)

    def test_unmatched_message_is_neither_sent_nor_deleted(self):
        assert is_quiet(facts_of(base(self.entry), local({"a": ()}), remote(present=())))

    def test_unmatched_message_deleted_by_name_is_removed_here_and_nothing_is_asked_of_the_server(self):
        facts = facts_of(
            base(self.entry), local({"a": ()}, deleted_by_name=frozenset({"m1"})), remote(present=())
        )
        actions = plan_account([facts], can_move=True).mailboxes[0]
        assert [action.base.message_id for action in actions.burials] == ["m1"]
        assert not actions.deletions

    def test_unmatched_file_removed_by_its_reader_is_forgotten(self):
        facts = facts_of(base(self.entry), local(missing=frozenset({"a"})), remote(present=()))
        assert [
            action.base.message_id for action in plan_account([facts], can_move=True).mailboxes[0].forgets
        ]

    def test_wish_for_an_unmatched_message_is_for_its_file_alone(self):
        wished = {"m1": (frozenset({SEEN}), frozenset())}
        (difference,) = facts_of(base(self.entry), local({"a": ()}, wished=wished), remote()).flags
        assert difference.local_add == {SEEN}
        assert not difference.push_add


class TestAppearing:
    def test_unknown_uid_is_downloaded_in_uid_order(self):
        facts = facts_of(base(), local(), remote({9: (), 4: ()}))
        assert [entry.uid for entry in facts.remote_appeared] == [4, 9]

    def test_uid_reported_changed_and_vanished_is_not_downloaded(self):
        assert is_quiet(facts_of(base(), local(), remote({9: ()}, vanished=[9])))

    def test_unknown_file_is_uploaded(self):
        facts = facts_of(base(), local({"new": {SEEN}}), remote())
        plan = plan_account([facts], can_move=True)
        assert [(upload.mailbox, upload.entry.maildir_name) for upload in plan.uploads] == [(INBOX, "new")]

    def test_name_of_an_open_intent_is_no_new_message(self):
        """Sync.md 18: recovery decides about it."""
        assert is_quiet(facts_of(base(), local({"new": ()}, ignored=frozenset({"new"})), remote()))

    def test_failed_message_is_retried_when_due_and_not_before(self):
        entry = base_entry(name=None, message=None, state=BaseState.FAILED, retry_at=NOW)
        assert [e.uid for e in facts_of(base(entry), local(), remote()).retries] == [1]
        later = base_entry(name=None, message=None, state=BaseState.FAILED, retry_at=NOW + 1)
        assert is_quiet(facts_of(base(later), local(), remote({1: ()})))


class TestVanishing:
    def test_vanished_statement_removes_the_file(self):
        facts = facts_of(base(base_entry()), local({"a": ()}), remote(vanished=[1]))
        removal = plan_account([facts], can_move=True).mailboxes[0].removals[0]
        assert removal.base.uid == 1
        assert not removal.is_inferred

    def test_vanished_removes_only_known_uids(self):
        assert is_quiet(facts_of(base(base_entry()), local({"a": ()}), remote(vanished=[2, 3])))

    def test_absence_from_a_complete_listing_is_an_inference(self):
        facts = facts_of(base(base_entry()), local({"a": ()}), remote(present=[2]))
        assert plan_account([facts], can_move=True).mailboxes[0].removals[0].is_inferred

    def test_missing_file_expunges_on_the_server_as_an_inference(self):
        facts = facts_of(base(base_entry()), local(missing=frozenset({"a"})), remote())
        expunge = plan_account([facts], can_move=True).mailboxes[0].expunges[0]
        assert expunge.base.uid == 1
        assert expunge.is_inferred

    def test_deletion_asked_for_by_name_is_no_inference(self):
        facts = facts_of(base(base_entry()), local({"a": ()}, deleted_by_name=frozenset({"m1"})), remote())
        actions = plan_account([facts], can_move=True).mailboxes[0]
        assert not actions.deletions[0].is_inferred
        assert not actions.expunges

    def test_message_gone_on_both_sides_is_forgotten(self):
        facts = facts_of(base(base_entry()), local(missing=frozenset({"a"})), remote(vanished=[1]))
        actions = plan_account([facts], can_move=True).mailboxes[0]
        assert len(actions.forgets) == 1
        assert not actions.removals
        assert not actions.expunges

    def test_deleted_there_and_flagged_here_is_deleted(self):
        facts = facts_of(base(base_entry()), local({"a": {FLAGGED}}), remote(vanished=[1]))
        assert len(facts.remote_vanished_stated) == 1
        assert not facts.flags

    def test_deleted_here_and_flagged_there_is_deleted(self):
        facts = facts_of(base(base_entry()), local(missing=frozenset({"a"})), remote({1: {FLAGGED}}))
        assert len(facts.local_vanished) == 1
        assert not facts.flags

    def test_deletion_by_name_of_a_message_already_gone_there_removes_the_file_at_once(self):
        facts = facts_of(
            base(base_entry()), local({"a": ()}, deleted_by_name=frozenset({"m1"})), remote(present=[])
        )
        assert len(facts.remote_vanished_stated) == 1


class TestMarked:
    def test_marked_message_still_there_is_left_alone(self):
        entry = base_entry(name=None, state=BaseState.MARKED, flags={DELETED})
        assert is_quiet(facts_of(base(entry), local(), remote({1: {DELETED}})))

    def test_marked_message_comes_back_when_someone_removes_the_mark(self):
        entry = base_entry(name=None, state=BaseState.MARKED, flags={DELETED})
        assert [e.uid for e in facts_of(base(entry), local(), remote({1: ()})).unmarked] == [1]

    def test_marked_message_gone_closes_the_row(self):
        entry = base_entry(name=None, state=BaseState.MARKED)
        assert len(facts_of(base(entry), local(), remote(vanished=[1])).gone_on_both) == 1

    def test_marked_message_whose_file_is_still_here_is_removed_here(self):
        """Sync.md 17 and 20: a run ended between the mark and the burial."""
        entry = base_entry(state=BaseState.MARKED, flags={DELETED})
        facts = facts_of(base(entry), local({"a": ()}), remote({1: {DELETED}}))
        assert len(plan_account([facts], can_move=True).mailboxes[0].burials) == 1


class TestAside:
    """A message whose file lies where nothing is kept in step."""

    entry = base_entry(state=BaseState.ASIDE)

    def test_message_set_aside_is_left_alone_on_both_sides(self):
        assert is_quiet(facts_of(base(self.entry), local(), remote({1: {SEEN}})))
        assert is_quiet(facts_of(base(self.entry), local(missing=frozenset({"a"})), remote({1: ()})))

    def test_file_that_is_here_again_makes_it_like_any_other(self):
        facts = facts_of(base(self.entry), local({"a": {SEEN}}), remote({1: ()}))
        assert facts.returned == (self.entry,)
        assert len(facts.flags) == 1

    def test_message_gone_there_closes_the_row(self):
        assert facts_of(base(self.entry), local(), remote(vanished=[1])).gone_on_both == (self.entry,)

    def test_deletion_by_name_goes_on_and_flags_are_out_of_reach(self):
        asked = local(deleted_by_name=frozenset({"m1"}))
        facts = facts_of(base(self.entry), asked, remote({1: ()}))
        assert len(plan_account([facts], can_move=True).mailboxes[0].deletions) == 1
        facts = facts_of(base(self.entry), local(wished={"m1": ({SEEN}, set())}), remote({1: ()}))
        assert facts.out_of_reach == (self.entry,)


class TestFlags:
    @pytest.mark.parametrize(
        ("before", "here", "there", "after"),
        [
            ({SEEN}, {SEEN}, {SEEN}, {SEEN}),
            (set(), {SEEN}, set(), {SEEN}),
            (set(), set(), {SEEN}, {SEEN}),
            ({SEEN}, set(), {SEEN}, set()),
            ({SEEN}, {SEEN}, set(), set()),
            (set(), {SEEN}, {FLAGGED}, {SEEN, FLAGGED}),
            ({SEEN}, set(), {SEEN, FLAGGED}, {FLAGGED}),
            ({SEEN}, set(), set(), set()),
            (set(), {KEYWORD}, {KEYWORD}, {KEYWORD}),
        ],
    )
    def test_each_flag_follows_the_side_that_changed_it(self, before, here, there, after):
        assert merge_flags(frozenset(before), frozenset(here), frozenset(there)) == after

    flag_sets = st.frozensets(st.sampled_from([SEEN, FLAGGED, DELETED, KEYWORD]))

    @given(flag_sets, flag_sets, flag_sets)
    def test_merge_is_symmetric_and_settles(self, before, here, there):
        merged = merge_flags(before, here, there)
        assert merged == merge_flags(before, there, here)
        assert merge_flags(merged, merged, merged) == merged
        assert before & here & there <= merged <= before | here | there

    def test_local_change_is_pushed(self):
        facts = facts_of(base(base_entry(flags={SEEN})), local({"a": {FLAGGED}}), remote())
        (difference,) = facts.flags
        assert difference.push_add == {FLAGGED}
        assert difference.push_remove == {SEEN}
        assert not difference.local_add
        assert not difference.local_remove

    def test_remote_change_is_applied_to_the_file(self):
        facts = facts_of(base(base_entry()), local({"a": ()}), remote({1: {SEEN}}))
        (difference,) = facts.flags
        assert difference.local_add == {SEEN}
        assert difference.local_path == "cur/a:2,"
        assert not difference.push_add

    def test_same_change_on_both_sides_only_updates_base(self):
        facts = facts_of(base(base_entry()), local({"a": {SEEN}}), remote({1: {SEEN}}))
        (difference,) = facts.flags
        assert difference.merged == {SEEN}
        assert not (
            difference.push_add or difference.push_remove or difference.local_add or difference.local_remove
        )

    def test_keyword_without_a_letter_is_not_removed_on_the_server(self):
        """Sync.md 27: what a file cannot show, its absence does not deny."""
        entry = base_entry(flags={KEYWORD})
        assert is_quiet(facts_of(base(entry), local({"a": ()}), remote({1: {KEYWORD}})))

    def test_keyword_with_a_letter_that_the_file_lost_is_removed_on_the_server(self):
        entry = base_entry(flags={KEYWORD})
        lettered = local({"a": ()}, lettered_keywords=frozenset({KEYWORD}))
        (difference,) = facts_of(base(entry), lettered, remote()).flags
        assert difference.push_remove == {KEYWORD}

    @pytest.mark.parametrize("there", [{"WORK"}, None])
    def test_spelling_is_no_difference(self, there):
        """RFC 5788: keywords compare without case; a removal of one spelling would take the other along."""
        assert KEYWORD == "work"
        spelt = frozenset({Flag("Work")})
        lettered = local({"a": spelt}, lettered_keywords=spelt)
        view = remote({1: there} if there else {})
        assert is_quiet(facts_of(base(base_entry(flags={KEYWORD})), lettered, view))
        (difference,) = facts_of(
            base(base_entry(flags={KEYWORD})), local({"a": ()}, lettered_keywords=spelt), view
        ).flags
        assert difference.push_remove == (there or {KEYWORD})
        wished = local({"a": ()}, wished={"m1": (frozenset({Flag("wOrK")}), NO_FLAGS)})
        (difference,) = facts_of(base(base_entry()), wished, remote({1: {"WORK"}})).flags
        assert (difference.merged, difference.push_add) == ({"WORK"}, NO_FLAGS)

    def test_kept_keyword_in_another_spelling_is_pushed(self):
        view = remote({1: ()}, permanent_flags=frozenset({Flag("WORK")}), accepts_new_keywords=False)
        with_letter = local({"a": {KEYWORD}}, lettered_keywords=frozenset({KEYWORD}))
        (difference,) = facts_of(base(base_entry()), with_letter, view).flags
        assert difference.push_add == {KEYWORD}

    def test_keyword_the_server_does_not_keep_is_not_pushed_and_does_not_loop(self):
        view = remote({1: ()}, permanent_flags=frozenset({SEEN}), accepts_new_keywords=False)
        with_letter = local({"a": {KEYWORD}}, lettered_keywords=frozenset({KEYWORD}))
        assert is_quiet(facts_of(base(base_entry()), with_letter, view))

    def test_keyword_that_is_no_atom_is_not_pushed(self):
        """The command could not be written: the account would stand still for one odd line in a keyword file."""
        odd = Flag("to do")
        with_letter = local({"a": {odd}}, lettered_keywords=frozenset({odd}))
        assert is_quiet(facts_of(base(base_entry()), with_letter, remote({1: ()})))

    def test_wish_over_the_api_is_pushed_and_put_on_the_file_even_if_its_rename_was_lost(self):
        """Sync.md 16: the local view is the file overlaid by open operations."""
        wished = {"m1": (frozenset({SEEN, KEYWORD}), frozenset({FLAGGED}))}
        before = base(base_entry(flags={FLAGGED}))
        (difference,) = facts_of(before, local({"a": {FLAGGED}}, wished=wished), remote()).flags
        assert difference.push_add == {SEEN, KEYWORD}
        assert difference.push_remove == {FLAGGED}
        assert difference.local_add == {SEEN, KEYWORD}
        assert difference.local_remove == {FLAGGED}

    def test_wish_that_the_file_shows_already_is_only_pushed(self):
        wished = {"m1": (frozenset({SEEN}), frozenset())}
        (difference,) = facts_of(base(base_entry()), local({"a": {SEEN}}, wished=wished), remote()).flags
        assert difference.push_add == {SEEN}
        assert not difference.local_add

    def test_read_only_mailbox_gets_no_flags(self):
        assert is_quiet(
            facts_of(base(base_entry()), local({"a": {SEEN}}), remote({1: ()}, is_read_only=True))
        )


class TestMoves:
    def moved(self):
        inbox = facts_of(base(base_entry()), local(missing=frozenset({"a"})), remote())
        archive = plan_mailbox(
            base(mailbox=ARCHIVE), local({"a": ()}, mailbox=ARCHIVE), remote(mailbox=ARCHIVE), now=NOW
        )
        return [inbox, archive]

    def test_file_moved_to_another_mailbox_is_one_move(self):
        plan = plan_account(self.moved(), can_move=True)
        (move,) = plan.moves
        assert (move.source, move.target, move.base.uid) == (INBOX, ARCHIVE, 1)
        assert not plan.uploads
        assert all(not actions.expunges for actions in plan.mailboxes)

    def test_without_uidplus_a_move_is_an_upload_and_a_deletion(self):
        plan = plan_account(self.moved(), can_move=False)
        assert len(plan.uploads) == 1
        assert len(plan.mailboxes[0].expunges) == 1

    def test_moved_and_then_deleted_by_name_is_moved_first_and_deleted_where_it_is(self):
        """The other way round the file would go up as a new message: revived."""
        inbox = facts_of(
            base(base_entry()),
            local(missing=frozenset({"a"}), deleted_by_name=frozenset({"m1"})),
            remote(),
        )
        plan = plan_account([inbox, self.moved()[1]], can_move=True)
        assert len(plan.moves) == 1
        assert not plan.uploads
        assert not plan.mailboxes[0].deletions

    def test_gone_from_everywhere_and_deleted_by_name_is_a_deletion_by_name(self):
        inbox = facts_of(
            base(base_entry()),
            local(missing=frozenset({"a"}), deleted_by_name=frozenset({"m1"})),
            remote(),
        )
        (deletion,) = plan_account([inbox], can_move=True).mailboxes[0].deletions
        assert not deletion.is_inferred

    def test_move_here_beats_deletion_there(self):
        inbox = facts_of(base(base_entry()), local(missing=frozenset({"a"})), remote(vanished=[1]))
        archive = self.moved()[1]
        plan = plan_account([inbox, archive], can_move=True)
        assert len(plan.uploads) == 1
        assert not plan.moves

    def test_copy_in_another_mailbox_is_an_upload(self):
        inbox = facts_of(base(base_entry()), local({"a": ()}), remote())
        archive = self.moved()[1]
        plan = plan_account([inbox, archive], can_move=True)
        assert len(plan.uploads) == 1
        assert not plan.moves


def test_views_of_two_uidvalidities_are_refused():
    with pytest.raises(ValueError, match="UIDVALIDITY"):
        facts_of(base(validity=UidValidity(1)), local(), remote())
