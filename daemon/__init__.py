"""mailsyncd: a bridge between mail servers and a local store, as a background service."""

__version__ = "0.1.0"
