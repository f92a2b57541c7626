"""Gmail's labels: of the messages asked for, in any form; X-GM-EXT-1."""

from daemon.model.uidset import UidSet


async def test_labels_come_by_uid_and_unanswered_messages_are_left_out(play):
    async def script(part):
        await part.answer(
            b"UID FETCH 1:4 (UID X-GM-LABELS)",
            b'* 1 FETCH (UID 1 X-GM-LABELS ("\\\\Inbox" Work "Muy Importante"))',
            b"* 2 FETCH (UID 2 X-GM-LABELS NIL)",
            b"* 3 FETCH (UID 3 FLAGS (\\Seen))",
            b"* 9 FETCH (UID 9 X-GM-LABELS (Never))",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 X-GM-EXT-1", selected=True)
    assert await client.labels_of(UidSet(range(1, 5))) == {
        1: {b"\\Inbox", b"Work", b"Muy Importante"},
        2: frozenset(),
    }
