r"""SASL: who we are, proved in the way the server offers that gives away least.

Pure. SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 5802, 7677), PLAIN (RFC 4616), LOGIN (as servers do it), CRAM-MD5 (RFC 2195),
OAUTHBEARER (RFC 7628), XOAUTH2 (Google), EXTERNAL (RFC 4422 appendix A). No channel binding: `ssl` has no
exporter for TLS 1.3. Shared by IMAP and POP3. Raises RemoteProtocolError for a server that breaks the exchange and
AuthenticationFailed for one that cannot prove that it knows the password.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import stringprep
import unicodedata
from collections.abc import Callable, Collection
from typing import Final

from daemon.model.errors import AuthenticationFailed, RemoteProtocolError
from daemon.model.secret import Secret

MAX_CHALLENGE_BYTES: Final = 16 * 1024
MAX_SCRAM_ITERATIONS: Final = 250_000  # some 0.1 s of the event loop; RFC 7677 suggests 4,096
_PRIVATE_ORDER: Final = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5")
_OPEN_ORDER: Final = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5")
_TOKEN_ORDER: Final = ("OAUTHBEARER", "XOAUTH2")


class Exchange:
    """One authentication: `initial` first, then `answer` to each challenge, then `check_server` after the OK."""

    name: str
    has_initial: bool
    """Whether the client speaks first, so that SASL-IR saves a round trip."""

    def initial(self) -> bytes:
        """What the client says first; empty where the server speaks first."""
        return b""

    def answer(self, challenge: bytes) -> bytes:
        """The answer to a challenge, both without base64."""
        raise RemoteProtocolError(f"{self.name}: a challenge where none is due")

    def check_server(self) -> None:
        """Raise AuthenticationFailed if the server should have proved itself and has not."""

    def initial_base64(self) -> bytes | None:
        """The initial response as a command argument; `=` for an empty one, None where the server speaks first."""
        return (base64.b64encode(self.initial()) or b"=") if self.has_initial else None

    def answer_base64(self, challenge: bytes, *, is_first: bool = False) -> bytes:
        """The answer as a line. `is_first`: no initial response was sent, so an empty challenge asks for it."""
        try:
            plain = binascii.a2b_base64(challenge, strict_mode=True) if challenge.strip() else b""
        except binascii.Error as exc:
            # QUIRK Exchange and others ask for the first response with words instead of an empty challenge
            if not (is_first and self.has_initial):
                raise RemoteProtocolError(f"{self.name}: challenge is not base64") from exc
            plain = b""
        if len(plain) > MAX_CHALLENGE_BYTES:
            raise RemoteProtocolError(f"{self.name}: challenge of {len(plain)} bytes")
        said = self.initial() if is_first and self.has_initial else self.answer(plain)
        return base64.b64encode(said)


class Plain(Exchange):
    """Username and password in one message, in clear text within the line's TLS."""

    name = "PLAIN"
    has_initial = True

    def __init__(self, username: str, password: Secret) -> None:
        self._username = username
        self._password = password

    def initial(self) -> bytes:
        if "\0" in self._username or "\0" in self._password.reveal():
            raise AuthenticationFailed("NUL in username or password")
        return b"\0" + self._username.encode() + b"\0" + self._password.reveal().encode()


class Login(Exchange):
    """Username and password, each on demand. The prompts differ between servers and are not read."""

    name = "LOGIN"
    has_initial = False

    def __init__(self, username: str, password: Secret) -> None:
        self._answers = [username.encode(), password.reveal().encode()]

    def answer(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise RemoteProtocolError("LOGIN: a third question")
        return self._answers.pop(0)


class CramMd5(Exchange):
    """Username and a keyed digest of the server's challenge; for lines without TLS and old servers."""

    name = "CRAM-MD5"
    has_initial = False

    def __init__(self, username: str, password: Secret) -> None:
        self._username = username
        self._password = password

    def answer(self, challenge: bytes) -> bytes:
        digest = hmac.new(self._password.reveal().encode(), challenge, "md5").hexdigest()
        return f"{self._username} {digest}".encode()


class External(Exchange):
    """The identity is that of the TLS client certificate; `username` may be empty."""

    name = "EXTERNAL"
    has_initial = True

    def __init__(self, username: str = "") -> None:
        self._username = username

    def initial(self) -> bytes:
        return self._username.encode()


class Bearer(Exchange):
    """An access token. A challenge is the server's reason for refusing; it is answered, and then NO follows."""

    has_initial = True

    def __init__(self, username: str, token: Secret, *, host: str = "", port: int = 0) -> None:
        self._username = username
        self._token = token
        self._host = host
        self._port = port
        self.failure: str | None = None

    def answer(self, challenge: bytes) -> bytes:
        if self.failure is not None:
            raise RemoteProtocolError(f"{self.name}: a second error challenge")
        try:
            said = json.loads(challenge)
        except (ValueError, RecursionError):
            said = None
        status = said.get("status") if isinstance(said, dict) else None
        self.failure = str(status)[:80] if status else "refused"
        return self._after_failure()

    def _after_failure(self) -> bytes:
        return b""


class XOAuth2(Bearer):
    """An access token as Google and Microsoft 365 take it."""

    name = "XOAUTH2"

    def initial(self) -> bytes:
        return f"user={self._username}\x01auth=Bearer {self._token.reveal()}\x01\x01".encode()


class OAuthBearer(Bearer):
    """An access token as RFC 7628 has it."""

    name = "OAUTHBEARER"

    def initial(self) -> bytes:
        where = f"host={self._host}\x01port={self._port}\x01" if self._host else ""
        user = f"a={_scram_name(self._username)}" if self._username else ""
        return f"n,{user},\x01{where}auth=Bearer {self._token.reveal()}\x01\x01".encode()

    def _after_failure(self) -> bytes:
        return b"\x01"


class Scram(Exchange):
    """SCRAM without channel binding (RFC 5802 §3). The server proves itself in its last message."""

    has_initial = True

    def __init__(
        self, digest: str, username: str, password: Secret, *, nonce: Callable[[], str] | None = None
    ) -> None:
        self.name = "SCRAM-SHA-1" if digest == "sha1" else "SCRAM-SHA-256"
        self._digest = digest
        self._password = saslprep(password.reveal())
        self._nonce = (nonce or _nonce)()
        self._first = f"n={_scram_name(saslprep(username))},r={self._nonce}"
        self._expected: bytes | None = None
        self._is_proved = False

    def initial(self) -> bytes:
        return f"n,,{self._first}".encode()

    def answer(self, challenge: bytes) -> bytes:
        fields = _scram_fields(challenge)
        if "e" in fields:
            raise AuthenticationFailed(f"{self.name}: server answered {fields['e'][:80]}")
        if self._expected is None:
            return self._prove(challenge.decode("utf-8", "replace"), fields)
        signature = _decode_field(fields, "v")
        if self._is_proved or not hmac.compare_digest(signature, self._expected):
            raise AuthenticationFailed(
                f"{self.name}: the server does not know the password", reason="server_unproved"
            )
        self._is_proved = True
        return b""

    def check_server(self) -> None:
        if not self._is_proved:
            raise AuthenticationFailed(
                f"{self.name}: the server has not proved itself", reason="server_unproved"
            )

    def _prove(self, server_first: str, fields: dict[str, str]) -> bytes:
        nonce = fields.get("r", "")
        count = fields.get("i", "")
        if "m" in fields or not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise RemoteProtocolError(f"{self.name}: the server's first message is not in order")
        if (
            not (count.isascii() and count.isdigit())
            or len(count) > 9
            or not 1 <= int(count) <= MAX_SCRAM_ITERATIONS
        ):
            raise RemoteProtocolError(f"{self.name}: {count[:20]!r} iterations")
        salted = hashlib.pbkdf2_hmac(
            self._digest, self._password.encode(), _decode_field(fields, "s"), int(count)
        )
        client_key = self._mac(salted, b"Client Key")
        without_proof = f"c=biws,r={nonce}"
        message = f"{self._first},{server_first},{without_proof}".encode()
        signature = self._mac(hashlib.new(self._digest, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._expected = self._mac(self._mac(salted, b"Server Key"), message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._digest)


def choose(
    offered: Collection[str],
    username: str,
    secret: Secret,
    *,
    is_private: bool,
    is_token: bool = False,
    only: str | None = None,
    host: str = "",
    port: int = 0,
) -> Exchange | None:
    """The exchange to use, or None when nothing offered is fit.

    Over a line that is not private the password itself is never sent. `is_token`: `secret` is an OAuth access token.
    `only` is the one mechanism that may be used, where the account names it.
    """
    names = {name.upper() for name in offered if only is None or name.upper() == only.upper()}
    if is_token:
        order: tuple[str, ...] = _TOKEN_ORDER if is_private else ()
    else:
        order = _PRIVATE_ORDER if is_private else _OPEN_ORDER
    for name in order:
        if name not in names:
            continue
        match name:
            case "SCRAM-SHA-256":
                return Scram("sha256", username, secret)
            case "SCRAM-SHA-1":
                return Scram("sha1", username, secret)
            case "PLAIN":
                return Plain(username, secret)
            case "LOGIN":
                return Login(username, secret)
            case "CRAM-MD5":
                return CramMd5(username, secret)
            case "OAUTHBEARER":
                return OAuthBearer(username, secret, host=host, port=port)
            case "XOAUTH2":
                return XOAuth2(username, secret)
    return None


def saslprep(text: str) -> str:
    """RFC 4013: spaces mapped, invisible characters dropped, NFKC. Text it forbids is used as it is."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return prepared if prepared and not any(map(_is_prohibited, prepared)) else text


def _is_prohibited(char: str) -> bool:
    return (
        stringprep.in_table_c21_c22(char)
        or stringprep.in_table_c3(char)
        or stringprep.in_table_c4(char)
        or stringprep.in_table_c5(char)
        or stringprep.in_table_c6(char)
        or stringprep.in_table_c7(char)
        or stringprep.in_table_c8(char)
        or stringprep.in_table_c9(char)
    )


def _nonce() -> str:
    return secrets.token_urlsafe(24)


def _scram_name(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")


def _scram_fields(message: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in message.decode("utf-8", "replace").split(","):
        name, _, value = part.partition("=")
        fields.setdefault(name, value)
    return fields


def _decode_field(fields: dict[str, str], name: str) -> bytes:
    try:
        decoded = binascii.a2b_base64(fields[name].encode(), strict_mode=True)
    except (KeyError, ValueError) as exc:
        raise RemoteProtocolError(f"SCRAM: field {name!r} missing or not base64") from exc
    if not decoded:
        raise RemoteProtocolError(f"SCRAM: field {name!r} is empty")
    return decoded
