"""An unprivileged user for tests in which permissions count: root is stopped by none."""

import contextlib
import encodings.idna  # noqa: F401 - looked up by the first connection, where that user may not read our Python
import os
import pwd
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def as_lowly_user(home: Path) -> Iterator[None]:
    """Within it whatever we do is done by the owner of `home`, who is nobody when the tests run as root."""
    ours = os.geteuid()
    lowly = ours or pwd.getpwnam("nobody").pw_uid
    os.chown(home, lowly, -1)
    os.seteuid(lowly)
    try:
        yield
    finally:
        os.seteuid(ours)
