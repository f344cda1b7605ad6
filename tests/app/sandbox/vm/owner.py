"""A process that owns clones, for a test to kill: prints a line when two stand ready."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app.sandbox.vm.pool import Pool
from app.sandbox.vm.store import GuestStore
from app.sandbox.vm.template import Templates


async def main(folder: str) -> None:
    """Own two clones until the end."""
    templates = Templates(GuestStore(Path(folder)))
    async with Pool(templates, keep=2) as pool:
        await pool.prepare("6.1")
        print("ready", flush=True)
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
