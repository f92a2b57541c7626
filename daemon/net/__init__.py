"""Connections: bytes and time. Sockets, TLS and deadlines live here; grammar does not."""
