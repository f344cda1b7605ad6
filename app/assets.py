"""Static files under an URL that names their content.

    /static/<digest>/js/app.js      served as immutable for a year
    /static/js/app.js               the same file, revalidated each time

One digest speaks for the whole folder, so that ES modules which import each other by relative
paths stay inside it without any rewriting. What can be made smaller is compressed once, when it
is first asked for, and then held in memory.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from pathlib import Path
from typing import Final

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ROOT: Final = Path(__file__).resolve().parent.parent
STATIC: Final = ROOT / "static"

IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "no-cache"
_DIGEST = re.compile(r"[0-9a-f]{12}")
_PACKED: Final = (".js", ".css", ".svg")


def folder_digest(folder: Path) -> str:
    """Give 12 hex digits that change when a name or a byte below `folder` changes.

    The editor's sources in `src/` are never served and do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and _is_served(p, folder)):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _is_served(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).parts[0] != "src"


class Assets(StaticFiles):
    """The static folder with the digest in its URLs; `url("css/app.css")` gives the URL."""

    def __init__(self, folder: Path = STATIC) -> None:
        super().__init__(directory=folder, check_dir=False)
        self.digest = folder_digest(folder) if folder.is_dir() else "0" * 12
        self._folder = folder
        self._packed: dict[str, bytes] = {}

    def url(self, path: str) -> str:
        """Give the URL of a file in the static folder, for templates."""
        return f"/static/{self.digest}/{path}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file; the digest, if the path has one, decides how long it may be kept."""
        first, _, rest = path.partition(os.sep)
        named = bool(rest) and _DIGEST.fullmatch(first) is not None
        path = rest if named else path
        if path.split(os.sep)[0] == "src":
            raise HTTPException(status_code=404)
        response = await super().get_response(path, scope)
        fresh = named and first == self.digest
        if fresh and response.status_code == 200 and path.endswith(_PACKED) and _takes_gzip(scope):
            response = await self._compressed(path, response)
        response.headers["Cache-Control"] = IMMUTABLE if fresh else REVALIDATE
        return response

    async def _compressed(self, path: str, plain: Response) -> Response:
        """Give the file compressed; its URL names the content, so one copy serves for ever."""
        if path not in self._packed:
            data = (self._folder / path).read_bytes()
            self._packed[path] = await anyio.to_thread.run_sync(gzip.compress, data, 9)
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        kind = plain.headers["content-type"]
        return Response(self._packed[path], headers=headers, media_type=kind)


def _takes_gzip(scope: Scope) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")
