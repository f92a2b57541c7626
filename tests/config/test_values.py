"""daemon.config.values: one TOML value in, one checked value out."""

import datetime as dt

import pytest

from daemon.config import values
from daemon.config.values import Unfit


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("14d", 1_209_600), ("0s", 0)]
)
def test_durations_are_seconds(text, seconds):
    assert values.read_duration(text) == seconds


@pytest.mark.parametrize(
    "value", ["", "5", "m", "-5m", "5 m", "5 weeks", "1.5h", "5M", "\u0665m", 300, True, "9999999d"]
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(Unfit):
        values.read_duration(value)


def test_poll_interval_below_30s_is_refused():
    assert values.read_poll_interval("30s") == 30
    with pytest.raises(Unfit):
        values.read_poll_interval("29s")


@pytest.mark.parametrize(("value", "read"), [(True, True), (False, False), ("14d", 1_209_600)])
def test_leave_on_server_is_a_switch_or_a_time(value, read):
    assert values.read_leave_on_server(value) is read or values.read_leave_on_server(value) == read


@pytest.mark.parametrize("value", ["0d", 14, "true", None])
def test_leave_on_server_that_is_neither_is_refused(value):
    with pytest.raises(Unfit):
        values.read_leave_on_server(value)


@pytest.mark.parametrize(
    "host", ["imap.example.com", "localhost", "::1", "10.0.0.1", "bücher.example", "a_b.c."]
)
def test_hosts_are_taken(host):
    assert values.read_host(host) == host


def test_brackets_around_an_address_are_dropped():
    assert values.read_host("[2001:db8::1]") == "2001:db8::1"


@pytest.mark.parametrize(
    "host", ["", "imaps://h", "h:993", "a b", "a/b", "-a", "a..b", "x" * 300, "a\nb", 3, "::1:::", "h\u202e"]
)
def test_what_is_no_host_is_refused(host):
    with pytest.raises(Unfit):
        values.read_host(host)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "x.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_known(host):
    assert values.is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example"])
def test_other_machines_are_not_loopback(host):
    assert not values.is_loopback(host)


@pytest.mark.parametrize("port", [0, 65_536, -1, "993", True, 993.0])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(Unfit):
        values.read_port(port)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan"), float("inf"), "0.2", True])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(Unfit):
        values.read_share(share)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("127.0.0.1:8420", ("127.0.0.1", 8420)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_listen_address_is_split(text, split):
    assert values.split_listen(text) == split


@pytest.mark.parametrize(
    "text", ["8420", "host", "host:", "host:x", "::1:8420", "h:65536", "h:-1", "h:\u0663"]
)
def test_unclear_listen_address_is_refused(text):
    with pytest.raises(Unfit):
        values.split_listen(text)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "true or false"),
        ("x", "text"),
        (1, "a number"),
        (1.5, "a number"),
        ([], "a list"),
        ({}, "a table"),
        (dt.date(2026, 1, 1), "a date or time"),
        (dt.time(1), "a date or time"),
        (None, "of another type"),
    ],
)
def test_kinds_have_their_toml_names(value, kind):
    assert values.kind_of(value) == kind


@pytest.mark.parametrize("value", ["one", [1], ["a", ""], ["a\x00"], {}])
def test_what_is_no_list_of_texts_is_refused(value):
    with pytest.raises(Unfit):
        values.read_texts(value)


def test_empty_patterns_are_refused_and_empty_exclusions_are_not():
    assert values.read_texts([]) == ()
    with pytest.raises(Unfit):
        values.read_patterns([])


def test_networks_and_names_are_checked():
    assert values.read_network(["10.0.0.0/8", "::1"]) == ("10.0.0.0/8", "::1")
    names = ("mail.example.com", "mail.example.com:8443", "::1")
    assert values.read_host_names(list(names)) == names
    with pytest.raises(Unfit):
        values.read_network(["proxy.example"])
    with pytest.raises(Unfit):
        values.read_host_names(["https://mail.example.com"])


@pytest.mark.parametrize("name", ["imap-work", "a.b", "A@b:c"])
def test_credential_names_are_taken(name):
    assert values.read_credential_name(name) == name


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a b"])
def test_credential_names_never_leave_their_directory(name):
    with pytest.raises(Unfit):
        values.read_credential_name(name)


def test_environment_names_are_checked():
    assert values.read_env_name("MAIL_PW1") == "MAIL_PW1"
    with pytest.raises(Unfit):
        values.read_env_name("1PW")


def test_secret_may_have_any_characters():
    assert values.read_secret("\t ü\u0000") == "\t ü\u0000"
    with pytest.raises(Unfit):
        values.read_secret("")


def test_switch_takes_true_and_false_only():
    assert values.read_switch(value=False) is False
    with pytest.raises(Unfit):
        values.read_switch("true")
