"""Files that are being written to: left alone until they rest, longer each time that they did not."""

from daemon.model.ids import MailboxName, MaildirName
from daemon.sync.unrest import FIRST_REST_SECONDS, MOST_REST_SECONDS, Unrest

INBOX, NAME, OTHER = MailboxName("INBOX"), MaildirName("1.me"), MaildirName("2.me")
NOW = 1000.0


def test_file_that_never_changed_need_not_rest():
    assert Unrest().has_rested(INBOX, NAME, 10, NOW)
    assert not Unrest().is_watched(INBOX, NAME)


def test_file_that_changed_rests_at_one_size_before_it_is_sent():
    unrest = Unrest()
    assert unrest.note(INBOX, NAME, 10, NOW)
    assert unrest.is_watched(INBOX, NAME)
    assert not unrest.has_rested(INBOX, NAME, 10, NOW + FIRST_REST_SECONDS - 1)
    assert not unrest.has_rested(INBOX, NAME, 20, NOW + FIRST_REST_SECONDS), "it grew"
    assert not unrest.has_rested(INBOX, NAME, 20, NOW + 2 * FIRST_REST_SECONDS - 1)
    assert unrest.has_rested(INBOX, NAME, 20, NOW + 2 * FIRST_REST_SECONDS)
    assert unrest.has_rested(INBOX, OTHER, 10, NOW), "others go on"


def test_rest_grows_with_each_change_up_to_a_limit_and_is_forgotten_with_the_file():
    unrest = Unrest()
    assert unrest.note(INBOX, NAME, 10, NOW)
    assert not unrest.note(INBOX, NAME, 10, NOW)
    assert not unrest.has_rested(INBOX, NAME, 10, NOW + 2 * FIRST_REST_SECONDS - 1)
    for _ in range(20):
        unrest.note(INBOX, NAME, 10, NOW)
    assert unrest.has_rested(INBOX, NAME, 10, NOW + MOST_REST_SECONDS)
    unrest.forget(INBOX, NAME)
    assert unrest.has_rested(INBOX, NAME, 10, NOW)
