"""Models: closed, strict where they take, and without a place for secrets."""

import inspect

import pytest
from pydantic import BaseModel, ValidationError

from api import schemas

MODELS = [
    model
    for _, model in inspect.getmembers(schemas, inspect.isclass)
    if issubclass(model, BaseModel) and model is not BaseModel
]


@pytest.mark.parametrize("model", MODELS)
def test_model_is_closed_and_frozen(model):
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["frozen"] is True


@pytest.mark.parametrize("model", [model for model in MODELS if model is not schemas.AdviceRequest])
def test_model_has_a_schema_and_no_secret(model):
    text = str(model.model_json_schema()).lower()
    for word in ("password", "token", "secret", "maildir_name", "directory"):
        assert word not in text


def test_the_one_secret_that_is_taken_cannot_be_printed():
    body = schemas.AdviceRequest.model_validate({"address": "a", "username": "me", "password": "canary"})
    assert "canary" not in f"{body!r} {body} {body.model_dump()} {body.model_dump_json()}"
    assert "password_" not in str(schemas.AdviceRequest.model_json_schema())


def test_bodies_convert_nothing():
    for flags in ({"add": "Seen"}, {"add": [1]}, {"add": ("a",)}, {"add": [True]}):
        with pytest.raises(ValidationError):
            schemas.MessagePatch.model_validate({"flags": flags})


@pytest.mark.parametrize("account", ["Work", "a b", "x" * 33, "a\n", "../x", "é"])
def test_account_in_a_query_is_a_slug(account):
    with pytest.raises(ValidationError):
        schemas.MessagesQuery.model_validate_strings({"account": account})


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("yes", True), ("false", False), ("0", False)]
)
def test_unread_takes_the_usual_words(text, value):
    assert schemas.MessagesQuery.model_validate_strings({"unread": text}).unread is value
