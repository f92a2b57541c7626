"""Bodies and queries, within limits (faults.md A7, A10, A11, A12)."""

import asyncio
import gzip
import time

import pytest

from api import limits

PATCH = "PATCH /v1/messages/" + "0" * 32 + " HTTP/1.1"
TARGET = "/v1/messages/" + "0" * 32


async def patch(still, data, **headers):
    sent = {
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return await still.call("PATCH", TARGET, data=data, headers=sent)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"flags": {"add": [NaN]}}',
        b'{"flags": {"add": [Infinity]}}',
        b'{"flags": {"add": ["\\ud800"]}}',
        b'{"flags": {"add": ["\xff"]}}',
        b'{"flags": {}, "flags": {}}',
        b'{"flags": {"add": ["a"], "add": ["b"]}}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"flags": {}} trailing',
        b"\xef\xbb\xbf{}",
    ],
)
async def test_what_is_no_json_is_refused(still, data):
    reply = await patch(still, data)
    assert reply.status == 400
    assert reply.json["code"] == "json_invalid"


@pytest.mark.parametrize(
    ("data", "is_hinted"),
    [
        (rb'{"flags": {"add": ["\Seen"]}}', True),
        (rb'{"flags": {"add": ["\\\Seen"]}}', True),
        (rb'{"flags": {"add": ["\\Seen"]}', False),
        (b"nonsense", False),
    ],
)
async def test_backslash_written_once_is_hinted_at(still, data, is_hinted):
    reply = await patch(still, data)
    assert reply.json["code"] == "json_invalid"
    assert (r'"\\Seen"' in reply.json.get("hint", "")) is is_hinted


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"[]", ""),
        (b"1", ""),
        (b"null", ""),
        (b"{}", "flags"),
        (b'{"flags": null}', "flags"),
        (b'{"flags": {"add": "Seen"}}', "flags.add"),
        (b'{"flags": {"add": [1]}}', "flags.add.0"),
        (b'{"flags": {"add": [' + b"9" * 4300 + b"]}}", "flags.add.0"),
        (b'{"flags": {"add": [""]}}', "flags.add.0"),
        (b'{"flags": {"add": ["' + b"x" * 101 + b'"]}}', "flags.add.0"),
        (b'{"flags": {"put": []}}', "flags.put"),
        (b'{"flags": {}, "id": "x"}', "id"),
        (b'{"flags": {}, "subject": "x"}', "subject"),
        (b'{"flags": {"add": [' + b",".join([b'"a"'] * 101) + b"]}}", "flags.add"),
    ],
)
async def test_what_does_not_fit_names_its_field(still, data, field):
    reply = await patch(still, data)
    assert reply.status in (400, 422), reply.body
    if reply.status == 422:
        assert reply.json["code"] == "body_invalid"
        assert field in [item["field"] for item in reply.json["errors"]]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""],
)
async def test_only_json_is_taken(still, content_type):
    reply = await patch(still, b'{"flags": {"add": ["a"]}}', Content_Type=content_type)
    assert reply.status == 415
    assert reply.json["code"] == "media_type_unsupported"


async def test_charset_beside_json_is_taken(still):
    reply = await patch(still, b"{}", Content_Type="application/json; charset=utf-8")
    assert reply.status == 422


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_coded_body_is_not_decoded(still, coding):
    bomb = gzip.compress(b" " * 50_000_000, 9)
    reply = await patch(still, bomb, Content_Encoding=coding)
    assert reply.status == 415


async def test_body_over_a_mebibyte_is_refused_at_its_head(still):
    answer = await still.exchange(
        still.head(PATCH, "Content-Type: application/json", f"Content-Length: {2**30}"), seconds=4
    )
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_endless_chunks_are_refused_at_a_mebibyte(still):
    reader, writer = await still.connect()
    writer.write(still.head(PATCH, "Content-Type: application/json", "Transfer-Encoding: chunked"))
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    sent = 0

    async def flood():
        nonlocal sent
        while True:
            writer.write(chunk)
            await writer.drain()
            sent += 65536

    flooding = asyncio.create_task(flood(), name="flood")
    answer = await asyncio.wait_for(reader.read(4096), 5)
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answer


async def test_slow_body_is_given_up(still, monkeypatch):
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    began = time.monotonic()
    answer = await still.exchange(
        still.head(PATCH, "Content-Type: application/json", "Content-Length: 100") + b"{"
    )
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 4


async def test_broken_chunks_are_malformed(still):
    answer = await still.exchange(
        still.head(PATCH, "Content-Type: application/json", "Transfer-Encoding: chunked")
        + b"zz\r\n{}\r\n0\r\n\r\n"
    )
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"Traceback" not in answer


async def test_million_form_parts_are_not_parsed(still):
    body = b"&".join([b"a=b"] * 200_000)
    began = time.monotonic()
    reply = await patch(still, body, Content_Type="application/x-www-form-urlencoded")
    assert reply.status == 415
    assert time.monotonic() - began < 1


async def test_body_is_sent_for_only_when_it_is_wanted(still):
    fields = ("Content-Type: application/json", "Content-Length: 2", "Expect: 100-continue")
    refused = await still.exchange(
        f"{PATCH}\r\nHost: {still.host}\r\nConnection: close\r\n{chr(13) + chr(10)}".encode().replace(
            b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
    )
    assert refused.startswith(b"HTTP/1.1 401 ")
    reader, writer = await still.connect()
    writer.write(still.head(PATCH, *fields))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await asyncio.wait_for(reader.readline(), 2)).startswith(b"HTTP/1.1 422 ")
    writer.close()


@pytest.mark.parametrize("target", [TARGET, "/nothing"])
async def test_other_expectations_are_not_met(still, target):
    answer = await still.exchange(
        still.head(
            f"PATCH {target} HTTP/1.1",
            "Content-Type: application/json",
            "Content-Length: 2",
            "Expect: wonders",
        )
        + b"{}"
    )
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert b"wonders" not in answer


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("/v1/messages?limit=0", "limit"),
        ("/v1/messages?limit=-1", "limit"),
        ("/v1/messages?limit=ten", "limit"),
        ("/v1/messages?limit=1.5", "limit"),
        ("/v1/messages?limit=" + "9" * 5000, "limit"),
        ("/v1/messages?unread=maybe", "unread"),
        ("/v1/messages?account=No%20Such", "account"),
        ("/v1/messages?mailbox=a%00b", "mailbox"),
        ("/v1/messages?mailbox=" + "x" * 1001, "mailbox"),
        ("/v1/messages?sort=id", "sort"),
        ("/v1/messages?limit=1&limit=2", "limit"),
        ("/v1/messages?%3Cb%3E=1", "(unknown)"),
        ("/v1/status?format=xml", "format"),
        ("/v1/operations/" + "0" * 32 + "?wait=-1", "wait"),
        ("/v1/operations/" + "0" * 32 + "?wait=nan", "wait"),
        ("/v1/operations/" + "0" * 32 + "?wait=inf", "wait"),
        ("/v1/operations/" + "0" * 32 + "?wait=soon", "wait"),
        ("/v1/events?types=message.new,nonsense", "types"),
    ],
)
async def test_bad_parameter_is_named(still, target, field):
    reply = await still.call("GET", target)
    assert reply.status == 400
    assert reply.json["code"] == "parameter_invalid"
    assert [item["field"] for item in reply.json["errors"]] == [field]
    assert b"nonsense" not in reply.body


async def test_huge_limit_is_cut(still):
    assert (await still.call("GET", "/v1/messages?limit=1000000000")).status == 200


async def test_empty_parameter_counts_as_not_given(still):
    assert (await still.call("GET", "/v1/messages?account=&mailbox=&unread=&limit=&cursor=")).status == 200


@pytest.mark.parametrize(
    ("data", "status"), [(None, 202), (b"", 202), (b"{}", 202), (b'{"a": 1}', 422), (b"[]", 422), (b"x", 400)]
)
async def test_request_without_need_for_a_body_takes_an_empty_one(still, data, status):
    headers = {"Content-Type": "application/json"} if data else None
    reply = await still.call("POST", "/v1/accounts/work/sync", data=data, headers=headers)
    assert reply.status == status
