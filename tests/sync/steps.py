"""Steps of a run that can be made its last: every awaited call of chosen objects is one.

From the step where it ends on no further call comes through, as if the process had died.
"""

import contextlib
import functools
import inspect


class Stopped(BaseException):
    """The process is dead."""


class Steps:
    """Counts awaited calls; from the `last` one on, none is made."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self.last = last
        self.names: list[str] = []

    def take(self, name: str) -> None:
        self.count += 1
        self.names.append(name)
        if self.last is not None and self.count >= self.last:
            raise Stopped

    def interpose(self, target: object) -> None:
        """Make every awaited public method of this object a step."""
        for name, member in inspect.getmembers(type(target), inspect.iscoroutinefunction):
            if not name.startswith("_"):
                setattr(target, name, self.call(member.__get__(target)))

    def interpose_iterator(self, target: object, name: str) -> None:
        setattr(target, name, self.iterate(getattr(target, name)))

    def call(self, real):
        @functools.wraps(real)
        async def call(*args, **options):
            self.take(real.__name__)
            return await real(*args, **options)

        return call

    def iterate(self, real):
        async def iterate(*args, **options):
            async with contextlib.aclosing(real(*args, **options)) as items:
                async for item in items:
                    self.take("item")
                    yield item

        return iterate
