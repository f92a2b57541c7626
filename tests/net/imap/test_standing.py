"""What a client knows without asking."""


async def test_distrusted_capability_is_never_believed_again(play):
    async def script(part):
        await part.answer(b"NOOP", b"* CAPABILITY IMAP4rev1 IDLE NOTIFY")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 IDLE NOTIFY")
    assert client.distrusted == frozenset()
    client.distrust("notify")
    await client.noop()
    assert client.caps.has("IDLE")
    assert not client.caps.has("NOTIFY")
    assert client.distrusted == {"NOTIFY"}
