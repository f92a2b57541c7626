"""Servers that exclude Dovecot as packages: run from where .ci/unpack laid them, without being installed.

What both need: their programs where the mail's user can read them, the libraries beside them, and a door that tells
them who may come in. Users exist by being named: any name with the one password works.
"""

import atexit
import contextlib
import functools
import os
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache"


def unpacked(name: str) -> Path:
    """Where the server's files are; the test fails where they should be there, and is skipped where they cannot be."""
    place = CACHE / name
    if (place / "packages").is_file():
        return place / "root"
    if shutil.which("apt-get") is None:
        pytest.skip(f"{name} comes as Debian packages, and there is no apt-get here")
    raise RuntimeError(f"{name} is not unpacked under .cache/{name}: `make test` does it, or run .ci/servers")


@functools.cache
def programs_of(name: str) -> Path:
    """The server's files where whoever serves the mail can read them: for root a copy, gone with the test run."""
    root = unpacked(name)
    if os.getuid() != 0:
        return root
    copy = Path(tempfile.mkdtemp(prefix=f"{name}-programs-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for part in ("usr/lib", "usr/bin", "usr/sbin", "usr/libexec", "lib"):
        if (root / part).exists():
            shutil.copytree(root / part, copy / part, symlinks=True)
    return copy


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH for programs below `root`."""
    return ":".join(
        map(str, [root / "usr/lib", *root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*")])
    )


Answer = Callable[[socketserver.StreamRequestHandler], None]


@contextlib.contextmanager
def door(path: Path, answer: Answer) -> Iterator[None]:
    """A Unix socket at `path` where each question is answered by `answer`."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                answer(self)

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True
        request_queue_size = 128

    path.unlink(missing_ok=True)
    with Server(str(path), Handler) as server:
        path.chmod(0o666)
        thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), name=f"door {path.name}", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
