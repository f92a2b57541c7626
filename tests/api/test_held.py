"""/v1/accounts/{account}/held."""

import pytest


async def test_nothing_is_held(served):
    reply = await served.call("GET", "/v1/accounts/work/held")
    assert (reply.status, reply.json) == (200, {"items": []})


async def test_mailbox_in_which_nothing_is_held_is_404(served):
    reply = await served.call("POST", "/v1/accounts/work/held/approve", json={"mailbox": "INBOX"})
    assert (reply.status, reply.json["code"]) == (404, "hold_unknown")


@pytest.mark.parametrize("body", [{}, {"mailbox": ""}, {"mailbox": 3}, {"mailbox": "INBOX", "all": True}])
async def test_body_that_names_no_mailbox_is_refused(served, body):
    reply = await served.call("POST", "/v1/accounts/work/held/approve", json=body)
    assert (reply.status, reply.json["code"]) == (422, "body_invalid")


async def test_unknown_account_is_404(served):
    for method, path, options in (
        ("GET", "/v1/accounts/nobody/held", {}),
        ("POST", "/v1/accounts/nobody/held/approve", {"json": {"mailbox": "INBOX"}}),
    ):
        reply = await served.call(method, path, **options)
        assert (reply.status, reply.json["code"]) == (404, "account_unknown")
