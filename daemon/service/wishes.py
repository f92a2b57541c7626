"""Flag changes that somebody asked for, put on the files: the half of the wish that needs no server.

The engine takes the letters of a file for the local view, so a wish must be on the file before a pass can carry it
out. A file that is gone is no reason to fail: the wish is durable, and the pass finds out what became of the message.
"""

from collections.abc import Iterable

from daemon.model.errors import NotFound
from daemon.model.message import Message
from daemon.model.operations import Operation, OperationKind
from daemon.store.maildir.errors import MessageGone
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store


async def put_on_file(tree: MaildirTree, message: Message, wish: Operation) -> None:
    """Rename the file so that it shows the wish; nothing happens where it does already.

    Raises StoreError when the disk refuses; the wish stays, and the next start tries again.
    """
    try:
        await tree.set_flags(
            message.directory, message.maildir_name, wish.add, wish.remove, likely_flags=message.flags
        )
    except MessageGone:
        return


async def put_all_on_files(store: Store, tree: MaildirTree, wishes: Iterable[Operation]) -> None:
    """Finish what a crash between the durable wish and the rename left undone."""
    for wish in wishes:
        if wish.kind is not OperationKind.FLAGS:
            continue
        try:
            message = await store.messages.get(wish.message_id)
        except NotFound:
            continue
        await put_on_file(tree, message, wish)
