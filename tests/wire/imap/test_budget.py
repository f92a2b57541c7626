"""What a server may say grows with what there is to tell, and ends somewhere."""

import pytest

from daemon.model.errors import RemoteProtocolError
from daemon.wire.imap.budget import Budget
from daemon.wire.imap.limits import DEFAULT_LIMITS, Limits

LIMITS = Limits(
    untagged_count=1000,
    untagged_bytes=100_000,
    quiet_untagged_count=500,
    quiet_untagged_bytes=50_000,
    fair_count=100,
    fair_bytes=10_000,
    fair_count_a_message=2,
    fair_bytes_a_message=100,
    literal_bytes=5000,
    quiet_literal_bytes=70,
)


@pytest.mark.parametrize(
    ("messages", "is_quiet", "count", "size"),
    [
        (0, False, 100, 10_000),
        (50, False, 200, 15_000),
        (10**9, False, 1000, 100_000),
        (10**9, True, 500, 50_000),
    ],
)
def test_budget_is_spent_to_the_last_and_no_further(messages, is_quiet, count, size):
    for beyond in ((1, 0), (0, 1)):
        budget = Budget(LIMITS)
        budget.note_exists(messages)
        budget.note_exists(0)  # another mailbox: what was told of the first may still be on its way
        budget.spend(count, size, is_quiet=is_quiet)
        with pytest.raises(RemoteProtocolError) as caught:
            budget.spend(*beyond, is_quiet=is_quiet)
        assert caught.value.reason == "flood"


def test_answer_renews_it():
    budget = Budget(LIMITS)
    for _ in range(10):
        budget.spend(100, 10_000, is_quiet=False)
        budget.renew()


def test_large_mailboxes_and_many_mailboxes_fit():
    """Two flag changes for each of 800,000 messages while idling; 120,000 mailboxes with their numbers."""
    budget = Budget(DEFAULT_LIMITS)
    budget.spend(250_000, 80 << 20, is_quiet=False)
    budget.renew()
    budget.note_exists(800_000)
    budget.spend(800_000, 100 << 20, is_quiet=True)
    budget.renew()
    budget.spend(2_400_000, 400 << 20, is_quiet=False)


@pytest.mark.parametrize(("is_quiet", "most"), [(False, 5000), (True, 70)])
def test_octets_of_literals_are_counted_by_themselves(is_quiet, most):
    """A million octets of a message nobody asked for, again and again."""
    budget = Budget(LIMITS)
    budget.spend(100, 10_000, is_quiet=is_quiet)
    for _ in range(3):
        budget.spend_literal(most, is_quiet=is_quiet)
        with pytest.raises(RemoteProtocolError) as caught:
            budget.spend_literal(1, is_quiet=is_quiet)
        assert caught.value.reason == "flood"
        budget.renew()
