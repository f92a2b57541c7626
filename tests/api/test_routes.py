"""The table of routes against the contract."""

import re

from pydantic import BaseModel

from api.problems import PROBLEMS
from api.routes import ROUTES, Scope

CONTRACT = {
    "GET /livez",
    "GET /readyz",
    "GET /v1/status",
    "GET /v1/accounts/{account}/health",
    "POST /v1/accounts/{account}/sync",
    "POST /v1/accounts/{account}/pause",
    "POST /v1/accounts/{account}/resume",
    "POST /v1/accounts/{account}/reconnect",
    "GET /v1/accounts/{account}/mailboxes",
    "GET /v1/messages",
    "GET /v1/messages/{id}",
    "GET /v1/messages/{id}/raw",
    "PATCH /v1/messages/{id}",
    "DELETE /v1/messages/{id}",
    "GET /v1/events",
}


def test_routes_of_the_contract_are_there():
    assert {f"{route.method} {route.path}" for route in ROUTES} >= CONTRACT


def test_no_route_is_there_twice():
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_only_liveness_is_open():
    assert {route.path for route in ROUTES if route.scope is Scope.OPEN} == {"/livez", "/readyz"}


def test_what_changes_mail_needs_more_than_reading():
    for route in ROUTES:
        if route.method != "GET":
            assert route.scope in (Scope.WRITE, Scope.CONTROL)


def test_every_refusal_of_a_route_is_in_the_table():
    for route in ROUTES:
        assert set(route.refuses) <= set(PROBLEMS)


def test_models_refuse_unknown_fields():
    for route in ROUTES:
        for model in (route.query, route.body, *route.answers.values()):
            if model is not None:
                assert issubclass(model, BaseModel)
                assert model.model_config["extra"] == "forbid"


def test_paths_are_nouns_under_a_version():
    for route in ROUTES:
        assert re.fullmatch(r"/livez|/readyz|/v1(/[a-z]+|/\{[a-z]+\})+", route.path)
