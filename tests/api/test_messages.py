"""/v1/messages: list, read, change, delete."""

import asyncio

import pytest

SEEN = "\\Seen"


async def test_empty_store_lists_nothing(served):
    reply = await served.call("GET", "/v1/messages")
    assert reply.status == 200
    assert reply.json["items"] == []
    assert reply.json["next"] is None
    assert reply.json["state"] == (await served.call("GET", "/v1/status")).json["event_id"]


async def test_message_has_the_facts_of_its_octets(served, world):
    octets = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: a@b.example\r\n\r\nbody\r\n"
    message = await world.deliver(octets, at=1_700_000_000)
    item = (await served.call("GET", f"/v1/messages/{message}")).json
    assert item["id"] == message
    assert item["account"] == "work"
    assert item["mailbox"] == "INBOX"
    assert item["flags"] == []
    assert item["unread"] is True
    assert item["subject"] == "Grüße"
    assert item["sender"] == "a@b.example"
    assert item["internal_date"] == "2023-11-14T22:13:20Z"
    assert item["size_bytes"] == len(octets)
    assert (await served.call("GET", "/v1/messages")).json["items"] == [item]


async def test_pages_go_newest_first_without_gap_or_repeat(served, world):
    made = [await world.deliver(at=1_700_000_000 + number // 2) for number in range(7)]
    seen, target = [], "/v1/messages?limit=2"
    while True:
        page = (await served.call("GET", target)).json
        assert len(page["items"]) <= 2
        seen += page["items"]
        if page["next"] is None:
            break
        target = f"/v1/messages?limit=2&cursor={page['next']}"
    assert sorted(item["id"] for item in seen) == sorted(made)
    dates = [item["internal_date"] for item in seen]
    assert dates == sorted(dates, reverse=True)


async def test_filters_narrow_the_list(served, world):
    read = await world.deliver(seen=True)
    unread = await world.deliver()
    sent = await world.deliver(mailbox="Sent")

    async def ids(query):
        return {item["id"] for item in (await served.call("GET", f"/v1/messages?{query}")).json["items"]}

    assert await ids("account=work") == {read, unread, sent}
    assert await ids("account=shut") == set()
    assert await ids("mailbox=Sent") == {sent}
    assert await ids("unread=true") == {unread, sent}
    assert await ids("unread=false") == {read}
    assert await ids("account=work&mailbox=INBOX&unread=1") == {unread}
    assert await ids("mailbox=No%20such") == set()


async def test_unknown_account_is_404(served):
    reply = await served.call("GET", "/v1/messages?account=nobody")
    assert reply.status == 404
    assert reply.json["code"] == "account_unknown"
    assert reply.json["hint"].startswith("there is no account 'nobody'; there are: ")
    assert "work" in reply.json["hint"]


@pytest.mark.parametrize(
    ("flags", "code", "hint"),
    [
        ({"add": ["two words"]}, "flag_invalid", r"'two words' is not a flag; use \Seen, "),
        (
            {"add": ["seen"]},
            "flag_invalid",
            r"'seen' would be a keyword and no system flag; did you mean \Seen?",
        ),
        ({"add": ["a", "b"], "remove": ["b"]}, "flags_contradict", "b cannot be added and removed at once; "),
    ],
)
async def test_impossible_flag_is_named_with_what_is_allowed(served, world, flags, code, hint):
    message = await world.deliver()
    reply = await served.call("PATCH", f"/v1/messages/{message}", json={"flags": flags})
    assert (reply.status, reply.json["code"]) == (422, code)
    assert reply.json["hint"].startswith(hint)


async def test_keyword_named_like_a_system_flag_can_be_taken_away(served, world):
    message = await world.deliver()
    reply = await served.call("PATCH", f"/v1/messages/{message}", json={"flags": {"remove": ["Seen"]}})
    assert reply.status == 202


async def test_cursor_of_another_filter_is_refused(served, world):
    for _ in range(3):
        await world.deliver()
    cursor = (await served.call("GET", "/v1/messages?limit=1")).json["next"]
    reply = await served.call("GET", f"/v1/messages?limit=1&account=work&cursor={cursor}")
    assert reply.status == 400
    assert reply.json["code"] == "cursor_invalid"


async def test_flags_are_changed_here_before_the_answer(served, world):
    message = await world.deliver()
    reply = await served.call(
        "PATCH",
        f"/v1/messages/{message}",
        json={"flags": {"add": ["\\seen", "$Work"], "remove": ["\\Flagged"]}},
    )
    assert reply.status == 202
    assert reply.json["kind"] == "flags"
    assert reply.json["state"] == "pending"
    assert reply.json["scope"] == "server"
    assert reply.json["add"] == ["$Work", SEEN]
    assert reply.headers["location"] == f"/v1/operations/{reply.json['id']}"
    item = (await served.call("GET", f"/v1/messages/{message}")).json
    assert item["flags"] == ["$Work", SEEN]
    assert item["unread"] is False


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"add": ["\\Nonsense"]}, "flag_invalid"),
        ({"add": ["\\Recent"]}, "flag_invalid"),
        ({"add": ["two words"]}, "flag_invalid"),
        ({"add": ["a\r\nb"]}, "flag_invalid"),
        ({"add": ["a"], "remove": ["a"]}, "flags_contradict"),
        ({"add": [], "remove": []}, "flags_empty"),
        ({}, "flags_empty"),
    ],
)
async def test_impossible_change_is_422(served, world, flags, code):
    message = await world.deliver()
    for query in ("", "?wait=1"):
        reply = await served.call("PATCH", f"/v1/messages/{message}{query}", json={"flags": flags})
        assert reply.status == 422
        assert reply.json["code"] == code


async def test_deleted_message_is_hidden_before_the_answer(served, world):
    message = await world.deliver()
    reply = await served.call("DELETE", f"/v1/messages/{message}")
    assert reply.status == 202
    assert reply.json["kind"] == "delete"
    assert (await served.call("GET", f"/v1/messages/{message}")).status == 404
    assert (await served.call("GET", f"/v1/messages/{message}/raw")).status == 404
    assert (await served.call("GET", "/v1/messages")).json["items"] == []
    assert (await served.call("GET", "/v1/status")).json["total"] == 0


async def test_same_deletion_many_times_is_one_operation(served, world):
    """faults.md A14."""
    message = await world.deliver()
    replies = await asyncio.gather(*(served.call("DELETE", f"/v1/messages/{message}") for _ in range(20)))
    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["id"] for reply in replies}) == 1


async def test_waiting_is_200_once_the_server_has_it(served, world):
    message = await world.deliver()
    waiting = asyncio.create_task(served.call("DELETE", f"/v1/messages/{message}?wait=5"), name="waiting")
    await world.finish_next("done")
    reply = await waiting
    assert reply.status == 200
    assert reply.json["state"] == "done"


async def test_waiting_is_200_when_it_stays_marked(served, world):
    message = await world.deliver()
    waiting = asyncio.create_task(served.call("DELETE", f"/v1/messages/{message}?wait=5"), name="waiting")
    await world.finish_next("marked")
    reply = await waiting
    assert reply.status == 200
    assert reply.json["state"] == "marked"


@pytest.mark.parametrize(
    ("state", "code"), [("failed", "operation_failed"), ("uncertain", "operation_uncertain")]
)
async def test_what_the_server_does_not_have_is_no_200(served, world, state, code):
    message = await world.deliver()
    waiting = asyncio.create_task(
        served.call("PATCH", f"/v1/messages/{message}?wait=5", json={"flags": {"add": [SEEN]}}),
        name="waiting",
    )
    await world.finish_next(state, "refused")
    reply = await waiting
    assert reply.status == 502
    assert reply.json["code"] == code
    assert reply.json["reason"] == "refused"
    assert reply.json["operation"]["state"] == state
    assert reply.headers["location"] == f"/v1/operations/{reply.json['operation']['id']}"


async def test_wait_that_runs_out_is_202(served, world):
    message = await world.deliver()
    reply = await served.call("DELETE", f"/v1/messages/{message}?wait=0.1")
    assert reply.status == 202
    assert reply.json["state"] == "pending"


@pytest.mark.parametrize("message_id", ["0" * 32, "x", "F" * 32, "1"])
async def test_unknown_message_is_404(served, message_id):
    for method, json in (("GET", None), ("DELETE", None), ("PATCH", {"flags": {"add": [SEEN]}})):
        reply = await served.call(method, f"/v1/messages/{message_id}", json=json)
        assert reply.status == 404
        assert reply.json["code"] == "message_unknown"
