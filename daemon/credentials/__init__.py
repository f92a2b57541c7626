"""Where passwords come from: read at each login, held in memory as `Secret`, never logged, never kept on the disk."""

from daemon.credentials.password import read_password

__all__ = ["read_password"]
