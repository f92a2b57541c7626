"""GET /v1/jobs/{id}."""

import pytest


async def test_job_is_shown(served):
    job = (await served.call("POST", "/v1/accounts/work/pause?wait=5")).json
    reply = await served.call("GET", f"/v1/jobs/{job['id']}")
    assert reply.status == 200
    assert reply.json["state"] == "done"


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "-1"])
async def test_unknown_job_is_404(served, job_id):
    reply = await served.call("GET", f"/v1/jobs/{job_id}")
    assert reply.status == 404
    assert reply.json["code"] == "job_unknown"
