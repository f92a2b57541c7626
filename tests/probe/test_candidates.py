"""Places worth a knock."""

import pytest

from daemon.model.settings import Tls
from daemon.probe.candidates import candidates_for


def places(endpoints):
    return [(one.host, one.port) for one in endpoints]


def test_address_gives_the_usual_names_and_trusted_ports_only():
    found = candidates_for("me@Example.org")
    assert places(found.imap)[:2] == [("imap.example.org", 993), ("imap.example.org", 143)]
    assert ("pop.example.org", 995) in places(found.pop3)
    assert {one.tls for one in (*found.imap, *found.pop3)} == {Tls.IMPLICIT, Tls.STARTTLS}
    assert found.username == "me@Example.org"


def test_known_provider_gives_its_own_names():
    assert {one.host for one in candidates_for("x@gmail.com").imap} == {"imap.gmail.com"}
    assert candidates_for("x@icloud.com").pop3 == ()


def test_host_is_taken_as_it_is_and_its_port_alone():
    found = candidates_for("mail.example.org", ports=(4993,))
    assert {(one.host, one.port) for one in found.imap} == {("mail.example.org", 4993)}
    assert found.username is None
    assert [one.tls for one in candidates_for("mail.example.org", ports=(995,)).pop3] == [Tls.IMPLICIT]


def test_clear_line_is_tried_on_this_machine_only():
    assert Tls.NONE in {one.tls for one in candidates_for("127.0.0.1", ports=(1143,)).imap}
    assert Tls.NONE not in {one.tls for one in candidates_for("10.0.0.1", ports=(1143,)).imap}


@pytest.mark.parametrize("text", ["", "@", "@example.org", "me@", "a b", "a\nb", "x@y\x00z"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"neither an address nor a host name; write one such as me@"):
        candidates_for(text)


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("mail.example.org:993", "mail.example.org"),
        ("me@example.org:993", "me@example.org"),
        ("127.0.0.1:993", "127.0.0.1"),
        ("[::1]:993", "::1"),
    ],
)
def test_port_behind_the_host_is_refused_with_the_way_to_say_it(text, alone):
    with pytest.raises(ValueError, match=rf"write {alone} alone and the number as --port 993$"):
        candidates_for(text)


@pytest.mark.parametrize("text", ["::1", "2001:db8::993", "fe80::1:993"])
def test_address_of_ipv6_has_no_port(text):
    assert {one.host for one in candidates_for(text).imap} == {text}


def test_several_ports_are_each_tried_over_both_protocols_the_most_private_way_first():
    found = candidates_for("127.0.0.1", ports=(1143, 1110))
    for places in (found.imap, found.pop3):
        assert [(one.tls, one.port) for one in places] == [
            (tls, port) for tls in (Tls.IMPLICIT, Tls.STARTTLS, Tls.NONE) for port in (1143, 1110)
        ]
