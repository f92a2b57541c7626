"""The deletion breaker: what is let through, what waits for a person."""

from dataclasses import replace

from daemon.model.flags import NO_FLAGS
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseView, RemoteView
from daemon.sync.actions import AccountPlan, ExpungeRemote, MailboxActions, RemoveLocal
from daemon.sync.guard import (
    DIRECTORY_LOST,
    DeletionBreaker,
    HeldDeletions,
    MailboxSituation,
    Side,
    are_statements_doubtful,
    guard_plan,
    judge_gone,
)

INBOX = MailboxName("INBOX")
LISTS = MailboxName("Lists")
NOW = 10_000.0


def entries(count, first=1):
    return [
        BaseEntry(
            message_id=MessageId(f"m{n}"), uid=Uid(n), maildir_name=MaildirName(f"f{n}"), flags=NO_FLAGS
        )
        for n in range(first, first + count)
    ]


def expunging(count, mailbox=INBOX, first=1):
    return MailboxActions(
        mailbox=mailbox,
        expunges=tuple(
            ExpungeRemote(mailbox=mailbox, base=entry, is_inferred=True) for entry in entries(count, first)
        ),
    )


def removing(count, mailbox=INBOX, *, is_inferred=True):
    return MailboxActions(
        mailbox=mailbox,
        removals=tuple(
            RemoveLocal(mailbox=mailbox, base=entry, is_inferred=is_inferred) for entry in entries(count)
        ),
    )


def situation(size, mailbox=INBOX, role=None, **rest):
    record = MailboxRecord(
        account=AccountId("a"),
        name=mailbox,
        wire_name=mailbox.encode(),
        delimiter="/",
        directory=".",
        uid_validity=UidValidity(1),
        special_use=role,
    )
    return MailboxSituation(record=record, size=size, **rest)


def guarded(*actions, sizes, breaker=None, now=NOW, account_size=None):
    situations = {s.record.name: s for s in sizes}
    return guard_plan(
        AccountPlan(mailboxes=actions),
        situations,
        breaker or DeletionBreaker(share_limit=0.2),
        account_size=sum(one.size for one in sizes) if account_size is None else account_size,
        now=now,
    )


def test_fifty_deletions_pass_whatever_the_share():
    result = guarded(expunging(50), sizes=[situation(60)])
    assert len(result.plan.mailboxes[0].expunges) == 50
    assert not result.held


def test_many_deletions_below_the_share_pass():
    assert not guarded(expunging(60), sizes=[situation(1000)]).held


def test_mass_deletion_is_held_whole():
    result = guarded(expunging(300), sizes=[situation(1000)])
    assert not result.plan.mailboxes[0].expunges
    assert (result.held[0].count, result.held[0].side) == (300, Side.THERE)


def test_deletions_add_up_over_the_window_and_are_forgotten_after_it():
    breaker = DeletionBreaker(share_limit=0.2)
    assert not guarded(expunging(40), sizes=[situation(100)], breaker=breaker).held
    more = expunging(20, first=41)
    assert guarded(more, sizes=[situation(60)], breaker=breaker, now=NOW + 60).held
    assert not guarded(more, sizes=[situation(60)], breaker=breaker, now=NOW + 661).held


def test_pass_that_failed_and_is_planned_again_does_not_count_twice():
    """A line lost before the deletions, or a server that refuses them, must not add up to a hold."""
    breaker = DeletionBreaker(share_limit=0.2)
    for step in range(6):
        assert not guarded(expunging(40), sizes=[situation(100)], breaker=breaker, now=NOW + step).held


def test_account_is_measured_whole_and_not_by_the_mailboxes_looked_at():
    actions = [expunging(15, MailboxName(f"Lists/{n}")) for n in range(4)]
    sizes = [situation(60, MailboxName(f"Lists/{n}")) for n in range(4)]
    assert guarded(*actions, sizes=sizes).held, "60 of 240"
    assert not guarded(*actions, sizes=sizes, account_size=100_000).held


def test_share_is_taken_of_the_size_at_the_start_of_the_window():
    breaker = DeletionBreaker(share_limit=0.2)
    for step in range(4):
        held = guarded(
            expunging(50, first=50 * step + 1),
            sizes=[situation(1000 - 50 * step)],
            breaker=breaker,
            now=NOW + step,
        ).held
        assert not held
    last = expunging(50, first=201)
    assert guarded(last, sizes=[situation(800)], breaker=breaker, now=NOW + 9).held


def test_second_mailbox_emptied_within_the_window_is_held_whatever_the_size():
    breaker = DeletionBreaker(share_limit=0.2)
    sizes = [situation(3), situation(4, LISTS)]
    result = guarded(expunging(3), expunging(4, LISTS), sizes=sizes, breaker=breaker)
    assert [hold.mailbox for hold in result.held] == [LISTS]


def test_mailbox_that_got_new_mail_meanwhile_was_not_emptied():
    breaker = DeletionBreaker(share_limit=0.2)
    sizes = [situation(3), situation(4, LISTS, inhabited=frozenset({Side.HERE}))]
    assert not guarded(expunging(3), expunging(4, LISTS), sizes=sizes, breaker=breaker).held


def test_messages_left_where_they_are_to_be_deleted_do_not_make_an_emptied_mailbox_inhabited():
    breaker = DeletionBreaker(share_limit=0.2)
    sizes = [situation(3), situation(4, LISTS, inhabited=frozenset({Side.THERE}))]
    assert guarded(expunging(3), expunging(4, LISTS), sizes=sizes, breaker=breaker).held


def test_trash_may_be_emptied():
    sizes = [situation(500, role=SpecialUse.TRASH)]
    assert not guarded(expunging(500), sizes=sizes).held


def test_statement_of_the_server_is_no_inference():
    result = guarded(removing(500, is_inferred=False), sizes=[situation(1000)])
    assert len(result.plan.mailboxes[0].removals) == 500


def test_doubtful_statement_goes_through_the_breaker():
    sizes = [situation(1000, are_statements_doubtful=True)]
    result = guarded(removing(500, is_inferred=False), sizes=sizes)
    assert not result.plan.mailboxes[0].removals
    assert result.held


def test_hold_stays_after_the_window_until_somebody_decides():
    first = guarded(expunging(300), sizes=[situation(1000)]).held[0]
    later = guarded(expunging(300), sizes=[situation(1000, held=first)], now=NOW + 100_000)
    assert later.held[0].since == first.since
    assert not later.plan.mailboxes[0].expunges


def approved(count, side=Side.THERE, mailbox=INBOX, **rest):
    options = {"reason": "many", "uid_validity": UidValidity(1), **rest}
    return HeldDeletions(
        mailbox=mailbox,
        side=side,
        count=count,
        size=1000,
        since=NOW,
        uids=UidSet.from_ranges([(1, count)]),
        **options,
    )


def test_approved_deletions_go_on():
    result = guarded(expunging(300), sizes=[situation(1000, approved=approved(300), held=approved(300))])
    assert not result.held
    assert len(result.plan.mailboxes[0].expunges) == 300


def test_approval_covers_no_deletion_that_it_was_not_shown_with():
    """The three hundred go, those that were missed since then wait for a decision of their own."""
    result = guarded(expunging(550), sizes=[situation(1000, approved=approved(300), held=approved(300))])
    assert [action.base.uid for action in result.plan.mailboxes[0].expunges] == list(range(1, 301))
    (rest,) = result.held
    assert (rest.count, rest.uids) == (250, UidSet.from_ranges([(301, 550)]))


def test_few_deletions_beside_approved_ones_are_ordinary_housekeeping():
    result = guarded(expunging(305), sizes=[situation(1000, approved=approved(300), held=approved(300))])
    assert not result.held
    assert len(result.plan.mailboxes[0].expunges) == 305


def test_approval_of_one_side_or_of_other_uids_covers_nothing():
    for other in (approved(300, Side.HERE), approved(300, uid_validity=UidValidity(2))):
        result = guarded(expunging(300), sizes=[situation(1000, approved=other)])
        assert not result.plan.mailboxes[0].expunges
        assert result.held[0].count == 300


def test_what_was_held_after_an_approval_stays_held():
    later = replace(approved(300), since=NOW + 1)
    result = guarded(expunging(310), sizes=[situation(1000, approved=approved(300), held=later)])
    assert result.held[0].count == 10
    assert len(result.plan.mailboxes[0].expunges) == 300


def test_messages_of_a_mailbox_that_is_gone_are_one_set():
    breaker = DeletionBreaker(share_limit=0.2)
    few, many = removing(50).removals, removing(51).removals
    assert judge_gone(situation(50), breaker, (), account_size=50, now=NOW) is None
    assert judge_gone(situation(51), breaker, many, account_size=500, now=NOW).count == 51
    fresh = DeletionBreaker(share_limit=0.2)
    assert judge_gone(situation(50), fresh, few, account_size=500, now=NOW) is None
    one = removing(1, LISTS).removals
    assert judge_gone(situation(1, LISTS), fresh, one, account_size=500, now=NOW), "the second emptied"
    yes = approved(51, Side.HERE)
    assert judge_gone(situation(51, approved=yes), fresh, many, account_size=500, now=NOW) is None
    lost = approved(51, reason=DIRECTORY_LOST)
    assert judge_gone(situation(51, approved=lost), fresh, many, account_size=500, now=NOW) is None
    assert judge_gone(situation(51, role=SpecialUse.TRASH), fresh, many, account_size=500, now=NOW) is None


def test_hold_of_one_mailbox_does_not_stop_another():
    result = guarded(expunging(300), expunging(2, LISTS), sizes=[situation(1000), situation(900, LISTS)])
    assert [hold.mailbox for hold in result.held] == [INBOX]
    assert len(result.plan.mailboxes[1].expunges) == 2


def test_hold_of_removals_makes_every_further_statement_wait():
    """New mail in a mailbox that was emptied is no decision about what was held."""
    hold = guarded(removing(60, is_inferred=False), sizes=[situation(60, are_statements_doubtful=True)]).held[
        0
    ]
    later = guarded(removing(60, is_inferred=False), sizes=[situation(60, held=hold)], now=NOW + 9_000)
    assert later.held[0].since == hold.since
    assert not later.plan.mailboxes[0].removals


def test_directory_that_is_back_is_judged_by_what_is_missing_from_it():
    lost = HeldDeletions(
        mailbox=INBOX, side=Side.THERE, count=900, size=900, reason=DIRECTORY_LOST, since=NOW
    )
    result = guarded(expunging(2), sizes=[situation(900, held=lost)])
    assert not result.held
    assert len(result.plan.mailboxes[0].expunges) == 2


def test_restored_backup_infers_nothing_holds_nothing_and_fetches_again():
    result = guarded(
        expunging(3),
        removing(3, LISTS),
        sizes=[situation(9, infers_nothing=True), situation(9, LISTS, infers_nothing=True)],
    )
    assert not result.held
    here, lists = result.plan.mailboxes
    assert not here.expunges
    assert [action.base.uid for action in here.refetches] == [1, 2, 3]
    assert lists.is_empty


def view(uid_next=10, mod_seq=10, count=5):
    return RemoteView(
        mailbox=INBOX,
        uid_validity=UidValidity(1),
        uid_next=Uid(uid_next),
        highest_mod_seq=ModSeq(mod_seq),
        message_count=count,
    )


def base_view():
    return BaseView(
        mailbox=INBOX,
        uid_validity=UidValidity(1),
        uid_next=Uid(10),
        highest_mod_seq=ModSeq(10),
        entries=tuple(entries(2)),
    )


def test_marks_that_went_back_and_empty_mailboxes_make_statements_doubtful():
    assert not are_statements_doubtful(base_view(), view())
    assert are_statements_doubtful(base_view(), view(uid_next=9))
    assert are_statements_doubtful(base_view(), view(mod_seq=9))
    assert are_statements_doubtful(base_view(), view(count=0))
