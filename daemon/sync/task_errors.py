"""Tasks seen by their caller: one error out of a group, and work that a cancellation must not tear apart."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from daemon.model.errors import MailError

T = TypeVar("T")


@contextmanager
def one_error() -> Iterator[None]:
    """Let a MailError out of an exception group by itself.

    The siblings of the first failure are cancelled or fail for the same reason; an unexpected error (a defect) among
    them takes precedence, so that it is never hidden behind an expected one.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = tuple(_leaves(group))
        for leaf in leaves:
            if not isinstance(leaf, MailError):
                raise leaf from group
        raise leaves[0] from group


async def to_its_end(work: Coroutine[None, None, T]) -> T:
    """What short work gives, done whole: a cancellation that comes meanwhile is raised when the work is done, and not before.

    For steps whose middle is worse than either end; only for work that ends by itself within moments.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at: the cancellation is what the caller hears
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
