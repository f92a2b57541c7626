import pytest

from daemon.wire.pop3.capabilities import Capabilities, Expire, LoginDelay, parse_capabilities


def test_every_known_capability_is_read():
    caps = parse_capabilities(
        b"TOP\r\nUIDL\r\nuser\r\nSASL PLAIN login\r\nSTLS\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
        b"LOGIN-DELAY 30 USER\r\nEXPIRE 14\r\nUTF8 USER\r\nIMPLEMENTATION Foo  Bar 1\r\n\r\n"
    )
    for name in ("TOP", "uidl", "USER", "STLS", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8"):
        assert caps.has(name)
    assert caps.sasl_mechanisms == {"PLAIN", "LOGIN"}
    assert caps.login_delay == LoginDelay(30, is_per_user=True)
    assert caps.expire == Expire(14)
    assert caps.implementation == "Foo Bar 1"
    assert caps.parameters("UTF8") == ("USER",)
    assert "TOP" in caps.names


@pytest.mark.parametrize(
    ("line", "expire"),
    [
        ("EXPIRE NEVER", Expire(None)),
        ("EXPIRE never USER", Expire(None, is_per_user=True)),
        ("EXPIRE 0", Expire(0)),
        ("EXPIRE 30 USER", Expire(30, is_per_user=True)),
        ("EXPIRE", None),
        ("EXPIRE soon", None),
        ("EXPIRE 99999999999999", None),
        ("EXPIRE -1", None),
        ("EXPIRE \u0663", None),
        ("TOP", None),
    ],
)
def test_expire_is_days_or_never(line, expire):
    assert Capabilities([line]).expire == expire


def test_login_delay_that_makes_no_sense_is_none():
    assert Capabilities(["LOGIN-DELAY"]).login_delay is None
    assert Capabilities(["LOGIN-DELAY x"]).login_delay is None


def test_nothing_said_is_falsy_and_equal_sets_are_equal():
    assert not Capabilities()
    assert Capabilities().implementation is None
    assert not Capabilities().sasl_mechanisms
    one, other = Capabilities(["TOP", "SASL A B"]), Capabilities(["top", "SASL A B"])
    assert one == other
    assert hash(one) == hash(other)
    assert "SASL A B" in repr(one)


def test_mechanisms_told_one_a_line_add_up():
    assert Capabilities(["SASL PLAIN", "SASL LOGIN"]).sasl_mechanisms == {"PLAIN", "LOGIN"}


def test_bytes_that_are_not_text_do_no_harm():
    assert parse_capabilities(b"\xff\0\r\nTOP").has("TOP")
    assert len(parse_capabilities(b"".join(b"X%d\n" % n for n in range(5000))).names) == 1000
