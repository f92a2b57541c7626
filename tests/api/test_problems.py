"""The table of problems, and what becomes one."""

import json
import re

import pytest
from aiohttp import web
from pydantic import ValidationError

from api.problems import (
    PROBLEMS,
    Problem,
    problem_of_http,
    problem_of_mail_error,
    problem_of_validation,
)
from api.schemas import MessagePatch
from daemon.model.errors import (
    ConnectionLost,
    InvalidRequest,
    LocalProtocolError,
    NotFound,
    StoreError,
    StoreForeign,
)


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_line_of_the_table_can_be_said(code):
    assert re.fullmatch(r"[a-z][a-z_]+", code)
    problem = Problem(code)
    document = json.loads(problem.body())
    assert set(document) == {"type", "title", "status", "code", "detail"}
    assert document["code"] == code
    assert 400 <= document["status"] == problem.status < 600
    assert document["detail"].endswith(".")


def test_members_never_replace_the_standard_ones():
    document = json.loads(Problem("not_found", members={"status": 200, "account": "work"}).body())
    assert document["status"] == 404
    assert document["account"] == "work"


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (NotFound("no", reason="message_unknown"), "message_unknown", 404),
        (NotFound("no", reason="thing_unknown"), "not_found", 404),
        (InvalidRequest("no", reason="flags_empty"), "flags_empty", 422),
        (InvalidRequest("no", reason="limit_invalid"), "request_invalid", 422),
        (StoreError("no", reason="disk_full"), "disk_full", 507),
        (StoreError("no", reason="store_newer"), "store_io", 503),
        (StoreForeign("no"), "store_foreign", 503),
        (ConnectionLost("no", reason="dns"), "unavailable", 503),
        (LocalProtocolError("no"), "internal", 500),
    ],
)
def test_error_of_the_service_becomes_its_problem(error, code, status):
    problem = problem_of_mail_error(error)
    assert (problem.code, problem.status) == (code, status)


def test_words_of_an_error_are_not_repeated():
    problem = problem_of_mail_error(NotFound("secret words", reason="Secret Words"))
    assert b"ecret" not in problem.body()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (web.HTTPNotFound(), "not_found"),
        (web.HTTPRequestEntityTooLarge(1), "body_too_large"),
        (web.HTTPExpectationFailed(text="Unknown Expect: words"), "expectation_failed"),
        (web.HTTPConflict(), "request_malformed"),
        (web.HTTPBadGateway(), "internal"),
    ],
)
def test_refusal_of_aiohttp_becomes_its_problem(error, code):
    assert problem_of_http(error).code == code
    assert b"words" not in problem_of_http(error).body()


def test_method_not_allowed_keeps_allow():
    problem = problem_of_http(web.HTTPMethodNotAllowed("PUT", ["HEAD", "GET"]))
    assert problem.code == "method_not_allowed"
    assert problem.headers == {"Allow": "GET, HEAD"}


def test_validation_names_fields_and_repeats_no_value():
    with pytest.raises(ValidationError) as caught:
        MessagePatch.model_validate({"flags": {"add": ["ok", 4711]}, "password": "hunter2", "Evil <b>": 1})
    problem = problem_of_validation("body_invalid", caught.value)
    fields = [item.field for item in problem.fields]
    assert fields == ["flags.add.1", "password", "(unknown)"]
    for words in (b"hunter2", b"4711", b"Evil"):
        assert words not in problem.body()


def test_number_of_named_fields_is_bounded():
    with pytest.raises(ValidationError) as caught:
        MessagePatch.model_validate({"flags": {}, **{f"x{number}": 1 for number in range(1000)}})
    assert len(problem_of_validation("body_invalid", caught.value).fields) == 20
