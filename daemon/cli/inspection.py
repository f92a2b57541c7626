"""What `mailsyncd check` finds beyond the config file itself: the disk as this user sees it. Reads only.

Problems are what would stop the service or an account; warnings are what works now and may not do so elsewhere, above
all a tree that the system unit may not write to (sync.md 28).
"""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemon.config.rules import tree_of
from daemon.credentials.password import CREDENTIALS_VARIABLE
from daemon.model.settings import AccountSettings, Settings

SYSTEM_STORE: Final = Path("/var/lib/mailsyncd")
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_DATABASES: Final = ("index.sqlite3", "state.sqlite3")


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences for a person, each with what to do."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def inspect(settings: Settings, env: Mapping[str, str]) -> Findings:
    """Everything found; nothing is created, changed or locked."""
    findings = Findings()
    at = f"{settings.source}: " if settings.source else ""
    findings.problems.extend(_of_directory(settings.store.path, f"{at}store.path"))
    for name in _DATABASES:
        findings.problems.extend(_of_database(settings.store.path / name))
    for key, file in (
        (f"{at}api.token_file", settings.api.token_file),
        (f"{at}api.tls_cert", settings.api.tls_cert),
        (f"{at}api.tls_key", settings.api.tls_key),
    ):
        findings.problems.extend(_of_file(file, key))
    for account in settings.accounts:
        where = f"{at}accounts.{account.id}"
        findings.problems.extend(_of_file(account.ca_file, f"{where}.ca_file"))
        findings.problems.extend(_of_directory(tree_of(settings.store, account), f"{where}.maildir"))
        findings.problems.extend(_of_password(account, where, env))
        if _is_outside_the_unit(settings, account):
            findings.warnings.append(
                f"{where}.maildir: {account.maildir} is outside {SYSTEM_STORE}, and the system unit may write there "
                "only with a drop-in (User=, ReadWritePaths=); mail that your own programs read is better served by "
                "the user unit"
            )
    return findings


def _of_directory(path: Path, key: str) -> Iterator[str]:
    """It exists and can be written, or can be made."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        parent = next(above for above in path.parents if above.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            yield f"{key}: {path} cannot be made: {parent} may not be written; make it and give it to the service's user"
        return
    except OSError as error:
        yield f"{key}: {path}: {os.strerror(error.errno or 0)}; correct the path or its permissions"
        return
    if not stat.S_ISDIR(mode):
        yield f"{key}: {path} is no directory; name one"
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield f"{key}: {path} may not be written by this user; give it to the service's user"


def _of_database(path: Path) -> Iterator[str]:
    """It is a sound SQLite file as far as its first pages tell.

    Opened as immutable: an ordinary reader would make -wal and -shm files, and as root ones that the service cannot
    open. Pages are believed only where no -wal file says that newer ones wait.
    """
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(_SQLITE_MAGIC))
        if begin not in (b"", _SQLITE_MAGIC):
            raise sqlite3.DatabaseError("no SQLite file")
        wal = path.with_name(f"{path.name}-wal")
        if begin and not (wal.exists() and wal.stat().st_size):
            connection = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
            try:
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            finally:
                connection.close()
    except FileNotFoundError:
        return
    except OSError as error:
        yield f"{path}: {os.strerror(error.errno or 0)}; give it to the service's user"
    except sqlite3.DatabaseError as error:
        yield f"{path}: damaged ({error}); the next start sets it aside and says in the log what it does"


def _of_file(path: Path | None, key: str) -> Iterator[str]:
    if path is None:
        return
    try:
        with path.open("rb"):
            return
    except OSError as error:
        yield f"{key}: {path}: {os.strerror(error.errno or 0)}; correct the path or its permissions"


def _of_password(account: AccountSettings, where: str, env: Mapping[str, str]) -> Iterator[str]:
    """The source is there and private; it is not asked: a password program may open a window."""
    source = account.password
    if source.command is not None and shutil.which(source.command[0], path=env.get("PATH")) is None:
        yield f"{where}.password_command: its program is not found; write its full path"
    if source.file is not None:
        yield from _of_file(source.file, f"{where}.password_file")
        if source.file.exists() and source.file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"{where}.password_file: others can read {source.file}; chmod 600 {source.file}"
    if source.credential is not None and env.get(CREDENTIALS_VARIABLE):
        yield from _of_file(
            Path(env[CREDENTIALS_VARIABLE]) / source.credential, f"{where}.password_credential"
        )


def _is_outside_the_unit(settings: Settings, account: AccountSettings) -> bool:
    """Whether the system unit could not write the account's tree although it serves this store."""
    if account.maildir is None or not settings.store.path.is_relative_to(SYSTEM_STORE):
        return False
    return not account.maildir.is_relative_to(SYSTEM_STORE)
