"""A line between client and server that understands commands: it can refuse one, lose its answer, or rewrite replies.

Everything else passes untouched, so what is tested against a fault is the same conversation as without it.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")


@dataclass
class Rule:
    """What befalls the next `times` commands that match. `seen` has them, without their tags."""

    pattern: bytes
    do: str  # refuse: answered NO, never forwarded; lose: done, the answer lost with the line; cut: not even done;
    # answer: answered by `text`, never forwarded
    text: bytes = b"NO no"
    times: int = 1_000_000
    seen: list[bytes] = field(default_factory=list)


class Meddler:
    """`async with Meddler(port) as line`: connect to `line.port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._tasks: set[asyncio.Task[None]] = set()
        self.rules: list[Rule] = []
        self.edits: list[tuple[bytes, bytes]] = []
        self.replacements: list[tuple[bytes, bytes]] = []
        self.commands: list[bytes] = []
        self.before_command: Callable[[bytes], None] | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 26)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refuse(self, pattern: bytes, text: bytes = b"NO no", times: int = 1_000_000) -> Rule:
        return self._add(Rule(pattern, "refuse", text, times))

    def lose(self, pattern: bytes, times: int = 1) -> Rule:
        return self._add(Rule(pattern, "lose", times=times))

    def cut(self, pattern: bytes, times: int = 1) -> Rule:
        return self._add(Rule(pattern, "cut", times=times))

    def answer(self, pattern: bytes, lines: bytes, times: int = 1_000_000) -> Rule:
        """Stand in for a server that knows the command: these lines, then OK."""
        return self._add(Rule(pattern, "answer", lines, times))

    def edit(self, pattern: bytes, by: bytes) -> None:
        """Change commands on their way to the server."""
        self.edits.append((pattern, by))

    def replace(self, pattern: bytes, by: bytes) -> None:
        self.replacements.append((pattern, by))

    def count(self, word: bytes) -> int:
        return sum(word in command for command in self.commands)

    def _add(self, rule: Rule) -> Rule:
        self.rules.append(rule)
        return rule

    def _rule_for(self, command: bytes) -> Rule | None:
        for rule in self.rules:
            if rule.times > 0 and re.match(rule.pattern, command, re.DOTALL | re.IGNORECASE):
                rule.times -= 1
                rule.seen.append(command)
                return rule
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        lost: set[bytes] = set()
        try:
            up_reader, up_writer = await asyncio.open_connection(
                "127.0.0.1", self._target_port, limit=1 << 26
            )
            try:
                async with asyncio.TaskGroup() as group:
                    up = group.create_task(self._to_server(reader, writer, up_writer, lost))
                    down = group.create_task(self._to_client(up_reader, writer, lost))
                    await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                    up.cancel()
                    down.cancel()
            finally:
                up_writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ExceptionGroup):
            return
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _to_server(self, reader, writer, up_writer, lost: set[bytes]) -> None:
        while True:
            command = await reader.readline()
            if not command:
                return
            whole = command
            while literal := _LITERAL.search(command):
                if not literal[2]:
                    writer.write(b"+ go on\r\n")
                octets = await reader.readexactly(int(literal[1]))
                command = await reader.readline()
                whole += octets + command
            tag, _, rest = whole.partition(b" ")
            if whole.strip().upper() == b"DONE":
                up_writer.write(whole)
                continue
            self.commands.append(rest)
            if self.before_command is not None:
                self.before_command(rest)
            rule = self._rule_for(rest)
            if rule is not None and rule.do == "refuse":
                writer.write(tag + b" " + rule.text + b"\r\n")
                continue
            if rule is not None and rule.do == "answer":
                writer.write(rule.text + tag + b" OK done\r\n")
                continue
            if rule is not None and rule.do == "cut":
                return
            if rule is not None:
                lost.add(tag)
            for pattern, by in self.edits:
                whole = re.sub(pattern, by, whole)
            up_writer.write(re.sub(rb"\{(\d+)\}\r\n", rb"{\1+}\r\n", whole, count=1))
            await up_writer.drain()

    async def _to_client(self, up_reader, writer, lost: set[bytes]) -> None:
        while True:
            line = await up_reader.readline()
            if not line:
                return
            whole = line
            while literal := _LITERAL.search(line):
                whole += await up_reader.readexactly(int(literal[1]))
                line = await up_reader.readline()
                whole += line
            if whole.split(b" ", 1)[0] in lost:
                return
            for pattern, by in self.replacements:
                whole = re.sub(pattern, by, whole)
            with contextlib.suppress(OSError):
                writer.write(whole)
                await writer.drain()
