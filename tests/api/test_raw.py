"""GET /v1/messages/{id}/raw: byte for byte, or broken off."""

import asyncio
import base64
import hashlib

import pytest
import structlog


async def test_raw_is_byte_for_byte(served, world):
    octets = b"Subject: x\r\n\r\n" + bytes(set(range(256)) - {10}) * 4 + b"\r\n"
    message = await world.deliver(octets)
    reply = await served.call("GET", f"/v1/messages/{message}/raw")
    assert reply.status == 200
    assert reply.body == octets
    digest = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    assert reply.headers["content-type"] == "message/rfc822"
    assert reply.headers["content-length"] == str(len(octets))
    assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert reply.headers["digest"] == f"sha-256={digest}"
    assert reply.headers["etag"] == f'"{hashlib.sha256(octets).hexdigest()}"'
    assert reply.headers["content-disposition"] == f'attachment; filename="{message}.eml"'
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_bare_line_feeds_go_out_as_crlf(served, world):
    message = await world.deliver(b"Subject: x\n\nbody\r\nmore\n")
    reply = await served.call("GET", f"/v1/messages/{message}/raw")
    assert reply.body == b"Subject: x\r\n\r\nbody\r\nmore\r\n"
    assert reply.headers["content-length"] == str(len(reply.body))


async def test_large_message_streams(served, world):
    octets = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 300_000
    message = await world.deliver(octets)
    reply = await served.call("GET", f"/v1/messages/{message}/raw")
    assert hashlib.sha256(reply.body).digest() == hashlib.sha256(octets).digest()


async def test_head_has_no_body(served, world):
    message = await world.deliver()
    whole = await served.call("GET", f"/v1/messages/{message}/raw")
    reply = await served.call("HEAD", f"/v1/messages/{message}/raw")
    assert reply.status == 200
    assert reply.body == b""
    for name in ("content-length", "etag", "repr-digest", "content-type"):
        assert reply.headers[name] == whole.headers[name]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
async def test_known_message_is_304(served, world, form):
    message = await world.deliver()
    etag = (await served.call("HEAD", f"/v1/messages/{message}/raw")).headers["etag"]
    reply = await served.call(
        "GET", f"/v1/messages/{message}/raw", headers={"If-None-Match": form.format(etag)}
    )
    assert reply.status == 304
    assert reply.body == b""
    assert reply.headers["etag"] == etag


async def test_other_tag_is_no_304(served, world):
    message = await world.deliver()
    reply = await served.call("GET", f"/v1/messages/{message}/raw", headers={"If-None-Match": '"x"'})
    assert reply.status == 200


@pytest.mark.parametrize(
    "change", [b"", b"longer than before" * 100, b"Subject: y\r\n\r\nbody\r\n", b"Subject: x\r\n\r\nbody"]
)
async def test_file_that_is_not_what_it_was_is_refused(served, world, change):
    message = await world.deliver(b"Subject: x\r\n\r\nbody\r\n")
    world.file_of(message).write_bytes(change)
    reply = await served.call("GET", f"/v1/messages/{message}/raw")
    assert reply.status == 503
    assert reply.json["code"] == "message_changed"


@pytest.mark.parametrize("cut", [slice(None, -1), slice(1, None), slice(None, 900_000)])
async def test_large_file_that_is_not_what_it_was_breaks_the_line(served, world, cut):
    """Wrong octets never arrive as a whole answer."""
    octets = b"Subject: x\r\n\r\n" + b"x" * 1_000_000
    message = await world.deliver(octets)
    world.file_of(message).write_bytes(octets[cut] + b"y" * (len(octets) - len(octets[cut])))
    with structlog.testing.capture_logs() as lines:
        answer = await served.exchange(served.head(f"GET /v1/messages/{message}/raw HTTP/1.1"))
    events = [line["event"] for line in lines]
    assert "api.raw_broken" in events
    assert "api.failed" not in events
    head, _, body = answer.partition(b"\r\n\r\n")
    assert not head or head.startswith(b"HTTP/1.1 200 ")
    assert len(body) < len(octets)


async def test_file_that_is_gone_is_no_200(served, world):
    message = await world.deliver()
    world.file_of(message).unlink()
    reply = await served.call("GET", f"/v1/messages/{message}/raw")
    assert reply.status == 404
    assert reply.json["code"] == "message_unknown"


async def test_reader_that_takes_nothing_is_dropped(served, world, monkeypatch):
    """faults.md A8."""
    from api import limits

    monkeypatch.setattr(limits, "STALLED_READER_SECONDS", 0.3)
    message = await world.deliver(b"Subject: x\r\n\r\n" + b"x" * 30_000_000)
    _reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(served.head(f"GET /v1/messages/{message}/raw HTTP/1.1"))
    await asyncio.sleep(0.2)
    assert served.server._lobby.open == 1
    for _ in range(40):
        if served.server._lobby.open == 0:
            break
        await asyncio.sleep(0.05)
    assert served.server._lobby.open == 0
    assert (await served.call("GET", "/livez")).status == 200
    writer.close()


async def test_unknown_message_is_404(served):
    reply = await served.call("GET", f"/v1/messages/{'0' * 32}/raw")
    assert reply.status == 404
    assert reply.json["code"] == "message_unknown"
