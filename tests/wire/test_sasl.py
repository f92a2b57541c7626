import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import AuthenticationFailed, RemoteProtocolError
from daemon.model.secret import Secret
from daemon.wire import sasl

PENCIL = Secret("pencil")


def b64(text: str | bytes) -> bytes:
    return base64.b64encode(text.encode() if isinstance(text, str) else text)


def test_scram_sha_1_as_in_rfc_5802():
    exchange = sasl.Scram("sha1", "user", PENCIL, nonce=lambda: "fyko+d2lbbFgONRv9qkxdawL")
    assert exchange.initial() == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    assert (
        exchange.answer(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
        == b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    )
    assert exchange.answer(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == b""
    exchange.check_server()


def test_scram_sha_256_as_in_rfc_7677():
    exchange = sasl.Scram("sha256", "user", PENCIL, nonce=lambda: "rOprNGfwEbeRWgbNEkqO")
    server_first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert (
        exchange.answer(server_first)
        == b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.answer(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    exchange.check_server()


def begun() -> sasl.Scram:
    exchange = sasl.Scram("sha256", "user", PENCIL, nonce=lambda: "abc")
    exchange.answer(b"r=abcdef,s=c2FsdA==,i=1")
    return exchange


def test_server_that_does_not_know_the_password_is_found_out():
    with pytest.raises(AuthenticationFailed) as caught:
        begun().answer(b"v=" + b64(b"x" * 32))
    assert caught.value.reason == "server_unproved"


def test_server_that_never_proves_itself_is_found_out():
    with pytest.raises(AuthenticationFailed):
        begun().check_server()


def test_scram_error_is_a_refusal():
    with pytest.raises(AuthenticationFailed):
        begun().answer(b"e=invalid-proof")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"r=xyz,s=c2FsdA==,i=4096",
        b"r=abc,s=c2FsdA==,i=4096",
        b"r=abcdef,i=4096",
        b"r=abcdef,s=,i=4096",
        b"r=abcdef,s=!!,i=4096",
        b"r=abcdef,s=c2FsdA==",
        b"r=abcdef,s=c2FsdA==,i=0",
        b"r=abcdef,s=c2FsdA==,i=-1",
        b"r=abcdef,s=c2FsdA==,i=250001",
        b"r=abcdef,s=c2FsdA==,i=99999999999999999999",
        b"m=x,r=abcdef,s=c2FsdA==,i=4096",
        b"\xff\xfe",
    ],
)
def test_scram_first_message_out_of_order_is_a_protocol_error(message):
    exchange = sasl.Scram("sha1", "user", PENCIL, nonce=lambda: "abc")
    with pytest.raises(RemoteProtocolError):
        exchange.answer(message)


def test_scram_name_is_escaped():
    exchange = sasl.Scram("sha1", "a=b,c", PENCIL, nonce=lambda: "n")
    assert exchange.initial() == b"n,,n=a=3Db=2Cc,r=n"


def test_scram_nonces_differ():
    assert sasl.Scram("sha1", "u", PENCIL).initial() != sasl.Scram("sha1", "u", PENCIL).initial()


def test_plain():
    exchange = sasl.Plain("tim", Secret("tanstaaftanstaaf"))
    assert exchange.initial_base64() == b64("\0tim\0tanstaaftanstaaf")
    with pytest.raises(RemoteProtocolError):
        exchange.answer(b"more?")
    with pytest.raises(AuthenticationFailed):
        sasl.Plain("a\0b", PENCIL).initial()


def test_first_challenge_asks_for_the_initial_response():
    exchange = sasl.Plain("tim", PENCIL)
    for challenge in (b"", b" ", b"please go ahead", b"eA=="):
        assert exchange.answer_base64(challenge, is_first=True) == b64("\0tim\0pencil")


def test_login_answers_two_questions():
    exchange = sasl.Login("ada", PENCIL)
    assert exchange.initial_base64() is None
    assert exchange.answer_base64(b64("Username:"), is_first=True) == b64("ada")
    assert exchange.answer_base64(b64("Password:")) == b64("pencil")
    with pytest.raises(RemoteProtocolError):
        exchange.answer_base64(b"")


def test_cram_md5_as_in_rfc_2195():
    exchange = sasl.CramMd5("tim", Secret("tanstaaftanstaaf"))
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.answer(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_external_with_and_without_a_name():
    assert sasl.External().initial_base64() == b"="
    assert sasl.External("ada").initial_base64() == b64("ada")


def test_xoauth2_and_its_error_challenge():
    exchange = sasl.XOAuth2("someuser@example.com", Secret("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"))
    assert exchange.initial() == (
        b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
    )
    assert exchange.answer_base64(b64('{"status":"400","schemes":"Bearer"}')) == b""
    assert exchange.failure == "400"
    with pytest.raises(RemoteProtocolError):
        exchange.answer(b"{}")


def test_oauthbearer_as_in_rfc_7628():
    exchange = sasl.OAuthBearer(
        "user@example.com",
        Secret("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
        host="server.example.com",
        port=143,
    )
    assert exchange.initial() == (
        b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )
    assert exchange.answer(b"not json") == b"\x01"
    assert exchange.failure == "refused"


@pytest.mark.parametrize("challenge", [b"[" * 100_000, b"[]", b'{"status": null}', b"\xff"])
def test_hostile_error_challenge_is_survived(challenge):
    exchange = sasl.XOAuth2("u", PENCIL)
    exchange.answer(challenge)
    assert exchange.failure == "refused"


@pytest.mark.parametrize("challenge", [b"!!!", b"YQ", b"YQ==YQ==", b"\xff"])
def test_challenge_that_is_not_base64_is_a_protocol_error(challenge):
    with pytest.raises(RemoteProtocolError):
        sasl.CramMd5("u", PENCIL).answer_base64(challenge, is_first=True)


def test_oversize_challenge_is_refused():
    with pytest.raises(RemoteProtocolError):
        sasl.CramMd5("u", PENCIL).answer_base64(b64(b"x" * 20_000))


@pytest.mark.parametrize(
    ("offered", "is_private", "is_token", "chosen"),
    [
        (["PLAIN", "LOGIN", "SCRAM-SHA-1", "scram-sha-256"], True, False, "SCRAM-SHA-256"),
        (["PLAIN", "LOGIN", "SCRAM-SHA-1"], True, False, "SCRAM-SHA-1"),
        (["LOGIN", "PLAIN", "CRAM-MD5"], True, False, "PLAIN"),
        (["LOGIN", "CRAM-MD5"], True, False, "LOGIN"),
        (["CRAM-MD5"], True, False, "CRAM-MD5"),
        (["PLAIN", "LOGIN", "CRAM-MD5"], False, False, "CRAM-MD5"),
        (["PLAIN", "LOGIN"], False, False, None),
        (["SCRAM-SHA-1-PLUS", "GSSAPI"], True, False, None),
        (["PLAIN", "XOAUTH2", "OAUTHBEARER"], True, True, "OAUTHBEARER"),
        (["PLAIN", "XOAUTH2"], True, True, "XOAUTH2"),
        (["PLAIN"], True, True, None),
        (["XOAUTH2"], False, True, None),
        ([], True, False, None),
    ],
)
def test_best_offered_exchange_is_chosen(offered, is_private, is_token, chosen):
    exchange = sasl.choose(offered, "ada", PENCIL, is_private=is_private, is_token=is_token)
    assert (exchange.name if exchange else None) == chosen


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("a\x07", "a\x07"),
        ("", ""),
    ],
)
def test_saslprep_as_in_rfc_4013(text, prepared):
    assert sasl.saslprep(text) == prepared


@given(st.text(min_size=1, max_size=20), st.binary(min_size=1, max_size=20), st.integers(1, 50))
def test_scram_proof_is_what_a_server_computes(password, salt, iterations):
    exchange = sasl.Scram("sha256", "ada", Secret(password), nonce=lambda: "c")
    server_first = f"r=cs,s={b64(salt).decode()},i={iterations}"
    without_proof, _, proof = exchange.answer(server_first.encode()).rpartition(b",p=")
    salted = hashlib.pbkdf2_hmac("sha256", sasl.saslprep(password).encode(), salt, iterations)
    message = f"n=ada,r=c,{server_first},".encode() + without_proof
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    signature = hmac.digest(stored, message, "sha256")
    key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    assert hashlib.sha256(key).digest() == stored
    signed = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
    assert exchange.answer(b"v=" + b64(signed)) == b""
    exchange.check_server()


def test_secrets_are_not_in_repr():
    for exchange in (sasl.Plain("u", PENCIL), sasl.XOAuth2("u", PENCIL), sasl.Scram("sha1", "u", PENCIL)):
        assert "pencil" not in repr(exchange)
