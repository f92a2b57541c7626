"""Certificates for a server on loopback: an authority of its own, one certificate, both gone with the server's home."""

from pathlib import Path

import trustme


def write_certificates(home: Path) -> None:
    """`ca.pem` for clients, `cert.pem` (the chain) and `key.pem` for the server."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(home / "ca.pem")
    cert = authority.issue_cert("localhost", "127.0.0.1")
    cert.private_key_pem.write_to_path(home / "key.pem")
    (home / "cert.pem").write_bytes(b"".join(part.bytes() for part in cert.cert_chain_pems))
