"""Listening sockets: bound, with the right mode, and taken away again.

A handful of system calls at start and stop, none of which can wait. A socket left over in the file system is removed
only when it is a socket, ours, and nobody listens behind it; at the end only the very inode that was bound goes.
The control socket (sync.md 29) lies in the store, or, where the path does not fit into a socket's address, in the
runtime directory; `control.sock` in the store is then a symbolic link that says where.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.addresses import MAX_SOCKET_PATH_BYTES, TcpAddress

CONTROL_NAME: Final = "control.sock"
CONTROL_MODE: Final = 0o660
BACKLOG: Final = 128


class SocketInUse(OSError):
    """Another process answers there."""


@dataclass(frozen=True, slots=True)
class BoundUnix:
    """A bound socket with the identity of its file, for taking it away again. `link` points to it, if set."""

    sock: socket.socket
    path: Path
    inode: tuple[int, int]
    link: Path | None = None

    def remove(self) -> None:
        """Remove the file if it is still the one that was bound, the link to it and the directory made for it."""
        with contextlib.suppress(FileNotFoundError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self.inode:
                self.path.unlink()
        if self.link is not None:
            if _points_to(self.link, self.path):
                self.link.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.path.parent.rmdir()


def bind_tcp(address: TcpAddress, *, port_fallback: bool = False) -> socket.socket:
    """A bound socket, not yet listening. With `port_fallback`, any free port where the asked one is taken.

    Raises:
        OSError: EADDRINUSE, EADDRNOTAVAIL, EACCES.
    """
    try:
        return _bind_tcp(address.host, address.port, is_ipv6=address.is_ipv6)
    except OSError as error:
        if not port_fallback or error.errno != errno.EADDRINUSE:
            raise
        return _bind_tcp(address.host, 0, is_ipv6=address.is_ipv6)


def _bind_tcp(host: str, port: int, *, is_ipv6: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_unix(path: Path, *, mode: int) -> BoundUnix:
    """A socket listening at `path`, reachable for others only once its mode is set.

    Raises:
        SocketInUse: a process listens there.
        OSError: FileExistsError for what is no leftover socket of ours; else the system's.
    """
    _remove_leftover(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        os.fchmod(sock.fileno(), 0o600)  # Linux gives the file the mode that the socket has when it is bound
        sock.bind(os.fspath(path))
        found = path.lstat()
        path.chmod(mode)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return BoundUnix(sock, path, (found.st_dev, found.st_ino))


def bind_control(store_path: Path, store_id: str, env: Mapping[str, str]) -> BoundUnix:
    """The control socket of a store: `<store>/control.sock`, or in the runtime directory with a link from there.

    Raises:
        OSError: as `bind_unix`; PermissionError when a directory in the way is not safely ours.
    """
    path = store_path / CONTROL_NAME
    if len(bytes(path)) <= MAX_SOCKET_PATH_BYTES:
        return bind_unix(path, mode=CONTROL_MODE)
    directory = _runtime_directory(env) / f"mailsyncd-{store_id}"
    if len(bytes(directory / CONTROL_NAME)) > MAX_SOCKET_PATH_BYTES:
        directory = Path("/tmp") / f"mailsyncd-{store_id}"  # noqa: S108 - made private and checked below
    _make_private(directory)
    bound = bind_unix(directory / CONTROL_NAME, mode=CONTROL_MODE)
    try:
        _link(path, bound.path)
    except BaseException:
        bound.sock.close()
        bound.remove()
        raise
    return BoundUnix(bound.sock, bound.path, bound.inode, link=path)


def find_control(store_path: Path) -> Path:
    """Where a client of this store finds the control socket, whether one is there or not."""
    path = store_path / CONTROL_NAME
    try:
        return path.readlink()
    except OSError:
        return path


def _runtime_directory(env: Mapping[str, str]) -> Path:
    given = env.get("XDG_RUNTIME_DIR", "")
    for candidate in (Path(given) if given.startswith("/") else None, Path(f"/run/user/{os.geteuid()}")):
        if candidate is not None and candidate.is_dir() and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    return Path("/tmp")  # noqa: S108 - the directory in it is made private and checked


def _make_private(directory: Path) -> None:
    """Make the directory for us alone, or make sure that it is: in /tmp anybody could have been there first."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(
            errno.EACCES, "the directory is not a private one of ours", os.fspath(directory)
        )


def _remove_leftover(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise FileExistsError(errno.EEXIST, "this is no leftover socket of ours", os.fspath(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass  # its queue is full, so somebody has it
    raise SocketInUse(errno.EADDRINUSE, "another process listens here", os.fspath(path))


def _link(link: Path, target: Path) -> None:
    """Point `link` to `target`, in place of an older link only."""
    try:
        link.symlink_to(target)
    except FileExistsError:
        if not link.is_symlink():
            raise
        aside = link.with_name(f".{link.name}.new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(target)
        aside.replace(link)


def _points_to(link: Path, target: Path) -> bool:
    try:
        return link.readlink() == target
    except OSError:
        return False
