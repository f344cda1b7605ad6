"""One clone: restored, warmed if there is time, asked once, killed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from app.errors import AppError
from app.sandbox.vm.area import REQUEST_BYTES, Status
from app.sandbox.vm.machine import Machine
from app.sandbox.vm.protocol import GuestAnswer, GuestRequest
from app.sandbox.vm.qmp import QmpError
from app.sandbox.vm.snapshot import Snapshot, restore
from app.sandbox.vm.template import WARM
from app.sandbox.vm.wire import WireError, decode, encode

WARM_SECONDS: Final = 5.0
_WARM: Final = encode(WARM)
_SAID: Final[Mapping[Status, tuple[str, str]]] = {
    Status.MALFORMED: ("the guest could not read the request", "vm-request-refused"),
    Status.ANSWER_FULL: (
        "the guest's answer does not fit into its 64 MiB: ask for fewer or smaller logs",
        "vm-answer-too-large",
    ),
}


class Clone:
    """A guest that stands still until it is asked."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.warm = False

    @classmethod
    async def start(cls, snapshot: Snapshot) -> Clone:
        """Restore a snapshot; raises AppError `vm-template-stale` or `vm-guest-died`."""
        return cls(await restore(snapshot))

    async def warm_up(self) -> None:
        """Let the guest serve a load of ours, so that QEMU has translated what loads use.

        Nothing of a stranger has been in this clone, and nothing of the load stays open in it.
        """
        async with asyncio.timeout(WARM_SECONDS):
            await self._serve(_WARM)
            await self._command("stop")
        self.warm = True

    async def ask(self, data: bytes, seconds: float) -> bytes:
        """Give the answer's bytes. Raises AppError, at the latest after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                status = await self._serve(data)
        except TimeoutError:
            raise AppError(
                f"the guest did not answer within {seconds:g} s",
                code="vm-timeout",
                hint="It was stopped. Logs of level 1 and 2 take longest: ask for none.",
            ) from None
        if status is not Status.ANSWERED:
            sentence, code = _SAID.get(status, _SAID[Status.MALFORMED])
            raise AppError(sentence, code=code)
        try:
            return self.machine.area.answer()
        except ValueError as error:
            raise invalid(str(error)) from error

    async def close(self) -> None:
        """Kill it."""
        await self.machine.close()

    async def _serve(self, data: bytes) -> Status:
        self.machine.area.put(data)
        await self._command("cont")
        return await self.machine.wait_for_guest()

    async def _command(self, name: str) -> None:
        try:
            await self.machine.qmp.command(name)
        except QmpError as error:
            raise self.machine.died() from error


def checked(request: GuestRequest) -> bytes:
    """Encode a request; raises AppError `vm-request-too-large`."""
    data = encode(request)
    if len(data) > REQUEST_BYTES:
        raise AppError(
            f"the programs and maps of one request have {len(data):,} bytes; "
            f"a guest takes {REQUEST_BYTES:,}",
            code="vm-request-too-large",
        )
    return data


def read_answer(request: GuestRequest, data: bytes) -> GuestAnswer:
    """Decode an answer and hold it against the request; raises AppError `vm-answer-invalid`."""
    try:
        answer = decode(GuestAnswer, data)
    except WireError as error:
        raise invalid(str(error)) from error
    counts = (len(answer.maps), len(answer.programs), len(answer.test_runs))
    if counts != (len(request.maps), len(request.programs), len(request.programs)):
        raise invalid("it speaks of other programs or maps than the request")
    asked = [len(one.read_back) for one in request.maps]
    if asked != [len(one.values) for one in answer.maps]:
        raise invalid("it has other values than those asked for")
    return answer


def invalid(why: str) -> AppError:
    """Give the error for an answer that no init of ours writes."""
    return AppError(
        f"the guest's answer is forged or damaged: {why}",
        code="vm-answer-invalid",
        hint="What was loaded may have taken over the guest. It was stopped and is gone.",
    )
