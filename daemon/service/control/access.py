"""Access: whether a token opens the API.

The token's text is in memory only while it is read or made; what stays is its SHA-256, and digests are compared in
constant time (faults.md A2). Tokens are 256 random bits, so a plain digest is enough: there is nothing to guess.
"""

import errno
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from daemon.model.errors import ConfigError, ConfigProblem, StoreError

TOKEN_FILE_NAME: Final = "api-token"  # noqa: S105 - a file name
TOKEN_LIMIT_BYTES: Final = 4096  # a token file is one line; more is some other file named by mistake
TOKEN_MINIMUM_CHARACTERS: Final = 16  # below this a token can be guessed over the network
_DISK_REASONS: Final = {"ENOSPC": "disk_full", "EDQUOT": "disk_full"}


class Access:
    """Knows the admin token's digest."""

    __slots__ = ("_admin_digest",)

    def __init__(self, admin_digest: bytes) -> None:
        self._admin_digest = admin_digest

    def authenticate(self, token: str) -> bool:
        """Whether this is the admin token."""
        return hmac.compare_digest(digest_of(token), self._admin_digest)


def digest_of(token: str) -> bytes:
    """What is kept of a token: SHA-256 of its UTF-8 octets; never raises, whatever a client sent."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def open_access(store_path: Path, token_file: Path | None) -> Access:
    """Access by the token in `token_file`, or by `<store_path>/api-token`, which is written when it is not there.

    Blocking; called once at start. A token that was made here is durable when this returns.

    Raises:
        ConfigError: `token_file` cannot be read or holds no usable token.
        StoreError: the token could not be written or read back.
    """
    if token_file is not None:
        return Access(digest_of(_read_configured(token_file)))
    path = store_path / TOKEN_FILE_NAME
    try:
        token = _read(path)
        if token is None:
            token = secrets.token_urlsafe(32)
            _write_durably(path, token)
    except OSError as exc:
        raise _store_error(path, exc) from exc
    if len(token) < TOKEN_MINIMUM_CHARACTERS:
        raise StoreError(
            f"{path} holds no usable token",
            reason="store_damaged",
            remedy="remove the file; the next start writes a new token",
        )
    return Access(digest_of(token))


def _read_configured(path: Path) -> str:
    try:
        token = _read(path)
    except OSError as exc:
        raise _config_error(path, f"cannot be read ({exc.strerror})") from exc
    if token is None:
        raise _config_error(path, "does not exist")
    if len(token) < TOKEN_MINIMUM_CHARACTERS:
        raise _config_error(path, f"holds fewer than {TOKEN_MINIMUM_CHARACTERS} characters")
    return token


def _config_error(path: Path, problem: str) -> ConfigError:
    remedy = "write one line of at least 32 random characters, or leave token_file out"
    return ConfigError(
        (ConfigProblem(file=None, key="api.token_file", problem=f"{path} {problem}", remedy=remedy),)
    )


def _store_error(path: Path, exc: OSError) -> StoreError:
    name = errno.errorcode.get(exc.errno or 0, "")
    reason = _DISK_REASONS.get(name, "store_readonly" if name in {"EROFS", "EACCES", "EPERM"} else "store_io")
    return StoreError(f"{path}: {exc.strerror}", reason=reason)


def _read(path: Path) -> str | None:
    """The file's one line without surrounding space; None when there is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - by descriptor
        return file.read(TOKEN_LIMIT_BYTES).decode("utf-8", "replace").strip()


def _write_durably(path: Path, token: str) -> None:
    """Write aside, sync, rename, sync the directory: a token that was shown once must survive a power cut."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - by descriptor
            file.write(token.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
