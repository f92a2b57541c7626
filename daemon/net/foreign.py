"""Errors of the operating system and of OpenSSL as errors of ours: the one seam where they are mapped.

The sentences are for a person; `remedy` says what to do. Nothing here holds a credential or a server's words.
"""

import errno
import ssl
from typing import Final

from daemon.model.errors import ConnectionLost, MailError, TlsFailed

_UNREACHABLE: Final = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
    }
)

# OpenSSL's X509_V_ERR_* numbers (openssl/x509_vfy.h): the only way `ssl` tells what it disliked.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = frozenset({18, 19})
_NAME_MISMATCH: Final = frozenset({62, 64})


def map_lookup_error(error: OSError | UnicodeError, host: str) -> ConnectionLost:
    """A name that could not be looked up."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid host name"
    return ConnectionLost(
        f"cannot find the server {host}: {words}",
        reason="dns",
        remedy="check the host name and this machine's DNS",
    )


def map_connect_error(error: OSError, host: str, port: int) -> ConnectionLost:
    """A connection that could not be made."""
    place = f"{host} port {port}"
    if isinstance(error, ConnectionRefusedError):
        return ConnectionLost(
            f"{place} refuses connections",
            reason="refused",
            remedy="check host and port; is the server running?",
        )
    if isinstance(error, TimeoutError):
        return ConnectionLost(
            f"{place} does not answer", reason="timeout", remedy="check the network and firewalls"
        )
    if error.errno in _UNREACHABLE:
        return ConnectionLost(f"{place} cannot be reached", reason="unreachable", remedy="check the network")
    return ConnectionLost(f"cannot connect to {place}: {error.strerror or error}", reason="unreachable")


def map_line_error(error: Exception | None) -> ConnectionLost:
    """A line that ended while it was in use; None is a plain end of stream."""
    if isinstance(error, TimeoutError):
        return ConnectionLost("the server no longer answers the network's probes", reason="timeout")
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return ConnectionLost("the network to the server is gone", reason="unreachable")
    if isinstance(error, ConnectionResetError):
        return ConnectionLost("the server reset the connection", reason="closed")
    return ConnectionLost("the server closed the connection", reason="closed")


def map_tls_error(error: Exception, host: str) -> MailError:
    """A handshake that failed, or a record that could not be decrypted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _map_certificate_error(error, host)
    if isinstance(error, ssl.SSLError):
        return _map_handshake_error(error, host)
    if isinstance(error, TimeoutError):
        return TlsFailed(f"{host} did not finish the TLS handshake in time", reason="tls_handshake")
    return TlsFailed(
        f"{host} closed the connection during the TLS handshake",
        reason="tls_handshake",
        remedy="check that this port speaks TLS",
    )


def _map_certificate_error(error: ssl.SSLCertVerificationError, host: str) -> TlsFailed:
    code = error.verify_code
    if code == _EXPIRED:
        return TlsFailed(
            f"the certificate of {host} has expired",
            reason="tls_expired",
            remedy="the server's operator must renew it; check this machine's clock too",
        )
    if code == _NOT_YET_VALID:
        return TlsFailed(
            f"the certificate of {host} is not valid yet",
            reason="tls_not_yet_valid",
            remedy="check this machine's clock",
        )
    if code in _NAME_MISMATCH:
        return TlsFailed(
            f"the certificate is not for {host}",
            reason="tls_hostname",
            remedy="set host to a name that the certificate has",
        )
    if code in _SELF_SIGNED:
        detail = f"the certificate of {host} is signed by itself, not by an authority known here"
    else:
        detail = f"the certificate of {host} is not signed by an authority known here"
    return TlsFailed(
        detail,
        reason="tls_untrusted",
        remedy="set ca_file to the certificate of the authority that signed it",
    )


def _map_handshake_error(error: ssl.SSLError, host: str) -> TlsFailed:
    reason = getattr(error, "reason", None) or ""  # only errors that come out of OpenSSL have it
    words = reason.replace("_", " ").lower()
    if reason in {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
    }:
        return TlsFailed(
            f"{host} does not speak TLS on this port",
            reason="tls_handshake",
            remedy="check port and tls: implicit TLS is usually 993 (IMAP) or 995 (POP3), starttls 143 or 110",
        )
    if reason in {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW"}:
        return TlsFailed(
            f"{host} offers only TLS versions older than 1.2",
            reason="tls_handshake",
            remedy="the server's operator must enable TLS 1.2 or later",
        )
    if isinstance(error, ssl.SSLEOFError):
        words = "the server closed the connection"
    return TlsFailed(
        f"the TLS handshake with {host} failed: {words or 'no reason given'}", reason="tls_handshake"
    )


def again(error: MailError) -> MailError:
    """A fresh exception that says the same, so that each waiter raises its own and tracebacks do not pile up."""
    if isinstance(error, TlsFailed):
        fresh: MailError = TlsFailed(str(error), reason=error.reason, remedy=error.remedy)
    elif isinstance(error, ConnectionLost):
        fresh = ConnectionLost(str(error), reason=error.reason, remedy=error.remedy)
    else:
        fresh = ConnectionLost(f"the connection was given up: {error}", reason="closed", remedy=error.remedy)
    fresh.__cause__ = error
    return fresh


def web_page_error(host: str) -> ConnectionLost:
    """HTTP in the place of a handshake."""
    return ConnectionLost(
        f"{host} answers with a web page",
        reason="not_imap",
        remedy="a captive portal or proxy may be in the way; check port and network",
    )
