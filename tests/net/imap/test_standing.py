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


async def test_what_broke_and_what_is_doubted_are_told_apart_from_what_the_line_began_without(play):
    async def script(part):
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 IDLE NOTIFY QRESYNC", distrust={"COMPRESS=DEFLATE"})
    client.distrust("notify")
    client.doubt("qresync")
    assert client.broken == {"NOTIFY"}
    assert client.doubted == {"QRESYNC"}
    assert client.distrusted == {"COMPRESS=DEFLATE", "NOTIFY", "QRESYNC"}
    assert client.caps.has("IDLE")
    assert not client.caps.has("QRESYNC")
