"""Errors out of a task group, as the one error a caller can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.model.errors import MailError


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


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
