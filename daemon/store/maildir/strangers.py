"""A directory in the tree that no mailbox has yet: whose it is, whether it is complete, which files lie in it.

Reads only. Another program may be making it this very moment, so that nothing about it is final: without tmp/ it is not
complete yet, and a file without a name in the listing is not thereby missing. Blocks; runs in a named pool.
"""

import os
from pathlib import Path

from daemon.model.errors import StoreForeign
from daemon.model.mailbox import Owner, Stranger
from daemon.store.maildir import identity, names
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.identity import Identity
from daemon.store.maildir.open_maildir import OpenMaildir


def look_at(root: Path, directory: str, expected: Identity, layout: names.Layout) -> Stranger | None:
    """What it is now; None where it is gone or no Maildir."""
    try:
        with OpenMaildir(root, directory) as maildir:
            found = identity.read(maildir.fd, directory)
            return Stranger(
                directory=directory,
                name=names.mailbox_of(directory, layout),
                owner=_owner(found, expected) if found or not _has_id_file(maildir) else Owner.OTHER,
                is_complete=set(names.MAILDIR_PARTS) <= set(maildir.names()),
                files=frozenset(
                    names.split_file_name(name)[0]
                    for part in ("new", "cur")
                    for name in maildir.names(part)
                    if not name.startswith(".")
                ),
            )
    except StoreForeign:
        return None


def _owner(found: Identity | None, expected: Identity) -> Owner:
    if found is None:
        return Owner.NOBODY
    is_ours = (found.store_id, found.account) == (expected.store_id, expected.account)
    return Owner.OURS if is_ours else Owner.OTHER


def _has_id_file(maildir: OpenMaildir) -> bool:
    """Whether something lies in the place of the id file; what cannot be read as one is not ours."""
    with disk_errors(f"cannot look at {maildir.directory}"):
        try:
            os.stat(identity.ID_FILE, dir_fd=maildir.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
    return True
