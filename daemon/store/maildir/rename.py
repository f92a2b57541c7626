"""Rename that never overwrites: renameat2(RENAME_NOREPLACE), else link and unlink.

One system call where the kernel and the file system know it (Linux 3.15; ext4, XFS, btrfs, tmpfs, overlay); some FUSE
and network file systems answer EINVAL, and an old C library has no wrapper. Blocks; runs in a named pool.
"""

import ctypes
import errno
import os
from typing import Final

_RENAME_NOREPLACE: Final = 1
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS})

_libc: Final = ctypes.CDLL(None, use_errno=True)
_renameat2 = getattr(_libc, "renameat2", None)
if _renameat2 is not None:
    _renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    _renameat2.restype = ctypes.c_int


def rename_exclusive(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Rename within open directories.

    Raises:
        FileExistsError: The target exists; nothing was changed.
        FileNotFoundError: The source is gone.
        OSError: Anything else the file system says.
    """
    if _renameat2 is not None:
        if _renameat2(source_fd, os.fsencode(source), target_fd, os.fsencode(target), _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _UNSUPPORTED:
            raise OSError(code, os.strerror(code), source, None, target)
    link_and_unlink(source_fd, source, target_fd, target)


def link_and_unlink(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """The same in two steps; a crash between them leaves both names on one inode, which a scan recognises."""
    os.link(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)
    os.unlink(source, dir_fd=source_fd)
