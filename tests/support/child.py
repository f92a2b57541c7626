"""The engine in a process of its own, so that it can be killed at any instant without a word.

Children fork from a warm server process: a start costs milliseconds, not the import of everything.
"""

import asyncio
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog

from daemon.model.local_news import LocalNews
from daemon.model.settings import ImapSettings, Pop3Settings
from tests.support.bridge import open_bridge
from tests.support.dovecot import PASSWORD
from tests.support.pop3_bridge import open_pop3_as

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.child"])


class _Login:
    password = PASSWORD


def _sync(path: str, settings: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    async def run() -> None:
        async with open_bridge(
            Path(path), _Login(), settings=ImapSettings.model_validate_json(settings)
        ) as bridge:
            await bridge.sync()

    asyncio.run(run())


def _look_at_news(path: str, settings: str, news: LocalNews) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    async def run() -> None:
        async with open_bridge(
            Path(path), _Login(), settings=ImapSettings.model_validate_json(settings)
        ) as bridge:
            scan, listed = bridge.tree.scan, []

            async def noted(directory):
                listed.append(directory)
                return await scan(directory)

            bridge.tree.scan = noted
            await bridge.run_pass(only=set(news.files), news=news)
            assert not listed, "looked at whole"

    asyncio.run(run())


def _poll(path: str, settings: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    async def run() -> None:
        async with open_pop3_as(Path(path), Pop3Settings.model_validate_json(settings)) as bridge:
            await bridge.poll()

    asyncio.run(run())


def start_poll(path: Path, settings: Pop3Settings) -> BaseProcess:
    """A child that opens the store and polls the maildrop once; exit code 0 when QUIT was answered."""
    child = _context.Process(target=_poll, args=(str(path), settings.model_dump_json()), daemon=True)
    child.start()
    return child


def start_look_at_news(path: Path, settings: ImapSettings, news: LocalNews) -> BaseProcess:
    """A child that opens the store and makes one pass over what was told; exit code 0 if that was enough for it."""
    child = _context.Process(
        target=_look_at_news, args=(str(path), settings.model_dump_json(), news), daemon=True
    )
    child.start()
    return child


def start_sync(path: Path, settings: ImapSettings) -> BaseProcess:
    """A child that opens the store and syncs to quiescence; exit code 0 when it got there."""
    child = _context.Process(target=_sync, args=(str(path), settings.model_dump_json()), daemon=True)
    child.start()
    return child
