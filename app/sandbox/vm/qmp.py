"""Just enough of QEMU's machine protocol (QMP): commands, their answers, and events.

Source: QEMU docs/interop/qmp-spec.txt; one JSON object a line, answers in the order of commands.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from typing import Any, Final

_LINE_BYTES: Final = 1 << 20
_READ: Final = 64 << 10


class QmpError(Exception):
    """QEMU refused a command, or is gone: then the text is empty."""


class Qmp:
    """One connection over a non-blocking socket whose other end QEMU inherited."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self._events: deque[dict[str, Any]] = deque(maxlen=100)
        self._greeted = False

    async def command(self, name: str, /, *, fd: int | None = None, **arguments: object) -> Any:
        """Send one command, wait, and give what it returns; `fd` goes along (getfd).

        Raises QmpError.
        """
        (answer,) = await self.commands((name, arguments), fd=fd)
        return answer

    async def commands(
        self, *wanted: tuple[str, dict[str, object]], fd: int | None = None
    ) -> list[Any]:
        """Send commands in one go and give what each returns; raises QmpError for the first bad.

        QEMU does one after the other, also those that follow one that fails.
        """
        first = [] if self._greeted else [("qmp_capabilities", dict[str, object]())]
        lines = b"".join(_line(name, arguments) for name, arguments in (*first, *wanted))
        try:
            if fd is None:
                await asyncio.get_running_loop().sock_sendall(self._socket, lines)
            else:
                socket.send_fds(self._socket, [lines], [fd])
        except OSError as error:
            raise QmpError("") from error
        if not self._greeted:
            self._greeted = True
            if "QMP" not in await self._message():
                raise QmpError("QEMU did not greet")
            await self._answer("qmp_capabilities")
        return [await self._answer(name) for name, _ in wanted]

    async def event(self, name: str, **data: object) -> dict[str, Any]:
        """Wait for an event with this data, also one that came before; older ones are dropped."""
        while True:
            while self._events:
                found = self._events.popleft()
                told = found.get("data") or {}
                if found["event"] == name and data.items() <= told.items():
                    return found
            message = await self._message()
            if "event" in message:
                self._events.append(message)

    async def _answer(self, name: str) -> Any:
        while True:
            message = await self._message()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise QmpError(f"{name}: {message['error'].get('desc', '')}")
            if "event" in message:
                self._events.append(message)

    async def _message(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_BYTES:
                raise QmpError("QEMU sent a line without end")
            try:
                more = await loop.sock_recv(self._socket, _READ)
            except OSError as error:
                raise QmpError("") from error
            if not more:
                raise QmpError("")
            self._buffer += more
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            message = json.loads(line)
        except ValueError as error:
            raise QmpError("QEMU sent what is no JSON") from error
        if not isinstance(message, dict):
            raise QmpError("QEMU sent what is no message")
        return message


def _line(name: str, arguments: dict[str, object]) -> bytes:
    words = {key.replace("_", "-"): value for key, value in arguments.items()}
    return json.dumps({"execute": name, "arguments": words}).encode() + b"\n"
