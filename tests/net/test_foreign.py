"""One table: what the system says, and what we make of it."""

import errno
import socket
import ssl

import pytest

from daemon.model.errors import ConnectionLost, TlsFailed
from daemon.net import foreign


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (TimeoutError(), "timeout"),
        (OSError(errno.ETIMEDOUT, "timed out"), "timeout"),
        (OSError(errno.ENETUNREACH, "no route"), "unreachable"),
        (OSError(errno.EHOSTUNREACH, "no host"), "unreachable"),
        (OSError(errno.ENOBUFS, "no room"), "unreachable"),
    ],
)
def test_connect_errors(error, reason):
    mapped = foreign.map_connect_error(error, "mail.example.org", 993)
    assert isinstance(mapped, ConnectionLost)
    assert mapped.reason == reason
    assert "mail.example.org port 993" in str(mapped)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "closed"),
        (ConnectionResetError(), "closed"),
        (BrokenPipeError(), "closed"),
        (TimeoutError(), "timeout"),
        (OSError(errno.EHOSTUNREACH, "gone"), "unreachable"),
    ],
)
def test_line_errors(error, reason):
    assert foreign.map_line_error(error).reason == reason


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")]
)
def test_lookup_errors(error):
    mapped = foreign.map_lookup_error(error, "mail.example.org")
    assert mapped.reason == "dns"
    assert mapped.remedy


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("bad")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (9, "tls_not_yet_valid"),
        (10, "tls_expired"),
        (62, "tls_hostname"),
        (64, "tls_hostname"),
        (18, "tls_untrusted"),
        (19, "tls_untrusted"),
        (20, "tls_untrusted"),
        (99, "tls_untrusted"),
    ],
)
def test_certificate_errors(code, reason):
    mapped = foreign.map_tls_error(verification(code), "mail.example.org")
    assert isinstance(mapped, TlsFailed)
    assert mapped.reason == reason
    assert mapped.remedy


@pytest.mark.parametrize(
    "error", [ssl.SSLError(1, "x"), ssl.SSLEOFError(8, "eof"), TimeoutError(), ConnectionResetError()]
)
def test_other_tls_errors_are_the_handshakes(error):
    mapped = foreign.map_tls_error(error, "mail.example.org")
    assert isinstance(mapped, TlsFailed)
    assert mapped.reason == "tls_handshake"
