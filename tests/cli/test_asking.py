"""daemon.cli.asking: a running service does the sync, and we wait for its word."""

import io
import json

from daemon.cli.asking import sync_by_service
from daemon.cli.progress import ProgressLine


def said(status: int = 200, **members) -> tuple[int, bytes]:
    return status, json.dumps(members).encode()


STATUS = said(event_id="e-1")


def test_every_account_is_asked_before_any_is_awaited(service, tmp_path):
    service.answers = {
        "/v1/status": STATUS,
        "/v1/accounts/a/sync": said(202, id="1"),
        "/v1/accounts/b/sync": said(202, id="2"),
        "/v1/jobs/1": [said(state="running"), said(state="done", result={"downloaded": 2})],
        "/v1/jobs/2": said(state="failed", reason="auth_failed", detail="no"),
    }
    outcomes = sync_by_service(tmp_path, ["a", "b"], None)
    assert [outcome.line for outcome in outcomes] == ["a: 2 downloaded", "b: failed (auth_failed): no"]
    assert [outcome.is_done for outcome in outcomes] == [True, False]
    assert [path for _, path in service.asked][:3] == [
        "/v1/status",
        "/v1/accounts/a/sync",
        "/v1/accounts/b/sync",
    ]


def test_account_that_the_service_does_not_know_fails_alone(service, tmp_path):
    service.answers = {
        "/v1/status": STATUS,
        "/v1/accounts/a/sync": said(404, code="account_unknown", detail="there is no account 'a'"),
        "/v1/accounts/b/sync": said(202, id="2"),
        "/v1/jobs/2": said(state="done", result={}),
    }
    first, second = sync_by_service(tmp_path, ["a", "b"], None)
    assert "restart the service" in first.line
    assert second.is_done


def test_progress_is_drawn_from_the_journal(service, tmp_path):
    data = {"messages_done": 10, "messages_total": 20, "bytes_done": 1000, "bytes_total": 2000}
    service.answers = {
        "/v1/status": STATUS,
        "/v1/accounts/a/sync": said(202, id="1"),
        "/v1/jobs/1": [said(state="running"), said(state="done", result={})],
        "/v1/events?since=e-1&types=sync.progress": said(
            items=[{"account": "a", "data": data}, {"account": "other", "data": data}], next="e-2"
        ),
        "/v1/events?since=e-2&types=sync.progress": said(410, code="events_gone"),
    }
    stream = io.StringIO()
    line = ProgressLine(stream, monotonic=lambda: 0.0, width=lambda: 80)
    [outcome] = sync_by_service(tmp_path, ["a"], line)
    assert outcome.is_done
    assert "10 of 20 messages, 1.0 kB of 2.0 kB" in stream.getvalue()


def test_nobody_there_is_none(tmp_path):
    assert sync_by_service(tmp_path, ["a"], None) is None


def test_service_that_ends_meanwhile_is_a_failure(service, tmp_path):
    service.answers = {"/v1/status": STATUS}
    [outcome] = sync_by_service(tmp_path, ["a"], None)
    assert not outcome.is_done
    assert "the service is gone" in outcome.line
