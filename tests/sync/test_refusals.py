"""What was refused is asked again after a while, and only that."""

from daemon.sync.refusals import FINAL_RETRY_SECONDS, REFUSAL_RETRY_SECONDS, Asked, Refusals


def test_refused_waits_and_is_asked_again_when_the_time_is_up():
    refusals = Refusals()
    refusals.note(Asked.FLAGS, "INBOX", "a", 100.0)
    assert refusals.is_waiting(Asked.FLAGS, "INBOX", "a", 100.0 + REFUSAL_RETRY_SECONDS - 1)
    assert not refusals.is_waiting(Asked.FLAGS, "INBOX", "a", 100.0 + REFUSAL_RETRY_SECONDS)
    assert not refusals._until, "and is forgotten"


def test_another_file_mailbox_or_wish_does_not_wait():
    refusals = Refusals()
    refusals.note(Asked.FLAGS, "INBOX", "a", 100.0)
    for what, mailbox, name in (
        (Asked.UPLOAD, "INBOX", "a"),
        (Asked.FLAGS, "Archive", "a"),
        (Asked.FLAGS, "INBOX", "b"),
        (Asked.FLAGS, "INBOX", None),
    ):
        assert not refusals.is_waiting(what, mailbox, name, 101.0)


def test_second_refusal_starts_the_wait_anew():
    refusals = Refusals()
    refusals.note(Asked.MOVE, "INBOX", "a", 100.0)
    refusals.note(Asked.MOVE, "INBOX", "a", 500.0)
    assert refusals.is_waiting(Asked.MOVE, "INBOX", "a", 100.0 + REFUSAL_RETRY_SECONDS + 1)


def test_what_can_never_succeed_is_asked_again_once_a_day():
    refusals = Refusals()
    refusals.note(Asked.UPLOAD, "INBOX", "a", 100.0, code="TOOBIG")
    refusals.note(Asked.UPLOAD, "INBOX", "b", 100.0, code="OVERQUOTA")
    late = 100.0 + FINAL_RETRY_SECONDS - 1
    assert refusals.is_waiting(Asked.UPLOAD, "INBOX", "a", late)
    assert not refusals.is_waiting(Asked.UPLOAD, "INBOX", "b", late)
    assert not refusals.is_waiting(Asked.UPLOAD, "INBOX", "a", late + 1)
