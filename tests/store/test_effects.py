"""Effects as text and back."""

from daemon.model.events import EventName
from daemon.model.flags import SEEN, Flag
from daemon.model.ids import INBOX
from daemon.store.effects import Effect, FlagChange
from tests.store.samples import event, message_id


def test_effect_is_read_back_as_written():
    effect = Effect(
        hide=(message_id(1),),
        show=(message_id(2), message_id(3)),
        flags=(FlagChange(message_id=message_id(4), add=frozenset({SEEN, Flag("ü")}), remove=frozenset()),),
        bury=(message_id(5),),
        events=(
            event(),
            event(EventName.MESSAGE_DELETED, mailbox=INBOX, message_id=message_id(5), data={"a": [1, "b"]}),
        ),
    )
    assert Effect.from_text(effect.to_text()) == effect


def test_empty_effect_is_false():
    assert not Effect()
    assert Effect(events=(event(),))
    assert Effect.from_text(Effect().to_text()) == Effect()
