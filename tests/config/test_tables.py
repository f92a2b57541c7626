"""daemon.config.tables: the keys of the file are the settings of the models, and all stand in the example."""

import re
from pathlib import Path

import pytest

from daemon.config import load_settings, tables
from daemon.model.errors import ConfigProblem
from daemon.model.settings import (
    AccountSettings,
    ApiSettings,
    ImapSettings,
    PasswordSource,
    Pop3Settings,
    Settings,
    StoreSettings,
)

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def fields(model, without=()) -> set[str]:
    return set(model.model_fields) - set(without)


def test_tables_have_exactly_the_settings_of_the_models():
    own = fields(AccountSettings)
    assert fields(Settings, {"source", "warnings"}) == set(tables.TOP_TABLES)
    assert set(tables.STORE_KEYS) == fields(StoreSettings)
    assert set(tables.API_KEYS) == fields(ApiSettings)
    passwords = {"password" if name == "literal" else f"password_{name}" for name in fields(PasswordSource)}
    assert set(tables.PASSWORD_KEYS) == passwords
    assert set(tables.SHARED_KEYS) == own - {"id"} | passwords | {"protocol"}
    assert set(tables.IMAP_KEYS) == fields(ImapSettings, own | {"protocol"})
    pop3 = {name.removesuffix("_seconds") for name in fields(Pop3Settings, own | {"protocol"})}
    assert set(tables.POP3_KEYS) == pop3


def example_keys(text: str) -> dict[str, set[str]]:
    """Keys under each table header, whether or not they are commented out."""
    found: dict[str, set[str]] = {}
    table = ""
    for line in text.splitlines():
        if header := re.match(r"\[(\S+)\]$", line):
            table = header[1]
        elif key := re.match(r"#?([a-z_0-9]+) = ", line):
            found.setdefault(table, set()).add(key[1])
    return found


def test_every_setting_stands_in_the_example():
    found = example_keys(EXAMPLE.read_text(encoding="utf-8"))
    assert found["store"] == set(tables.STORE_KEYS)
    assert found["api"] == set(tables.API_KEYS)
    accounts = found["accounts.work"] | found["accounts.old"]
    assert accounts == {*tables.SHARED_KEYS, *tables.IMAP_KEYS, *tables.POP3_KEYS}


def test_example_is_a_valid_config(tmp_path):
    settings = load_settings(EXAMPLE, {}, home=tmp_path)
    assert [account.id for account in settings.accounts] == ["work", "old"]
    assert settings.warnings == ()


@pytest.mark.parametrize(
    "name",
    sorted(
        {*tables.STORE_KEYS, *tables.API_KEYS, *tables.SHARED_KEYS, *tables.IMAP_KEYS, *tables.POP3_KEYS}
        - set(tables.PASSWORD_KEYS)
    ),
)
def test_every_commented_setting_of_the_example_is_valid(tmp_path, name):
    text = EXAMPLE.read_text(encoding="utf-8")
    text = re.sub(rf"^#(?={name} = )", "", text, flags=re.MULTILINE)
    for group in ({"tls_cert", "tls_key"}, {"behind_proxy", "trusted_proxies"}):
        if name in group:
            text = re.sub(rf"^#(?=({'|'.join(group)}) = )", "", text, flags=re.MULTILINE)
    file = tmp_path / "config.toml"
    file.write_text(text.replace('group = "mail"', 'group = "root"'), encoding="utf-8")
    load_settings(file, {}, home=tmp_path)


@pytest.mark.parametrize("name", sorted(tables.PASSWORD_KEYS))
def test_every_password_source_of_the_example_is_valid(tmp_path, name):
    text = EXAMPLE.read_text(encoding="utf-8")
    head, old = text.split("[accounts.old]")
    line = re.search(rf"^#?({name} = .*)$", text, flags=re.MULTILINE)
    old = re.sub(r"^#?password.*$", "", old, flags=re.MULTILINE)
    file = tmp_path / "config.toml"
    file.write_text(f"{head}[accounts.old]\n{line[1]}\n{old}", encoding="utf-8")
    load_settings(file, {}, home=tmp_path)


def test_unknown_key_names_the_nearest_or_lists_all():
    assert tables.unknown_key("Hosst", ["host", "port"])[1] == "did you mean host?"
    assert tables.unknown_key("zzzz", ["host", "port"])[1] == "known here: host, port"


def test_findings_come_in_the_order_of_the_file():
    document = {"b": {"y": 1, "x": {"z": 1}}, "a": 3}
    findings = tables.Findings(Path("f"), document)
    for path in (("a",), ("b", "missing"), ("b", "x", "z"), ("b", "y"), ("gone",)):
        findings.add(path, "p", "r")
    assert [problem.key for problem in findings.in_order()] == ["b.y", "b.x.z", "b.missing", "a", "gone"]
    assert findings.in_order()[0] == ConfigProblem(Path("f"), "b.y", "p", "r")


def test_odd_key_names_are_quoted_and_escaped():
    assert tables.name_of(("accounts", "a b", "ho\x1bst", "9-_x")) == 'accounts."a b"."ho\\u001bst".9-_x'
