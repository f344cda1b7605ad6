"""Static files under an URL that names their content.

    /static/<digest>/js/app.js      served as immutable for a year
    /static/js/app.js               the same file, revalidated each time

One digest speaks for the whole folder, so that ES modules which import each other by relative
paths stay inside it without any rewriting. What can be made smaller is compressed once, when it
is first asked for, and then held in memory; a style sheet that imports others takes them in.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import re
from collections.abc import Iterator
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
_SHEET: Final = re.compile(r'^@import "([\w.-]+\.css)";$', re.MULTILINE)
_MODULE: Final = re.compile(r'^import\b[^"\'(]*["\']\./([\w.-]+\.js)["\']', re.MULTILINE)


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
        self._modules: dict[tuple[str, ...], tuple[str, ...]] = {}

    def url(self, path: str) -> str:
        """Give the URL of a file in the static folder, for templates."""
        return f"/static/{self.digest}/{path}"

    def modules(self, *entries: str) -> tuple[str, ...]:
        """Give the URLs of all modules that these import, so that none waits for another."""
        if entries not in self._modules:
            found = dict.fromkeys(entries)
            waiting = list(entries)
            while waiting:
                new = [path for path in self._imports(waiting.pop(0)) if path not in found]
                found.update(dict.fromkeys(new))
                waiting += new
            self._modules[entries] = tuple(self.url(path) for path in found if path not in entries)
        return self._modules[entries]

    def _imports(self, path: str) -> Iterator[str]:
        folder = path.rpartition("/")[0]
        for name in _MODULE.findall((self._folder / path).read_text()):
            yield f"{folder}/{name}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file; the digest, if the path has one, decides how long it may be kept."""
        first, _, rest = path.partition(os.sep)
        named = bool(rest) and _DIGEST.fullmatch(first) is not None
        path = rest if named else path
        if path.split(os.sep)[0] == "src":
            raise HTTPException(status_code=404)
        fresh = named and first == self.digest
        packed = fresh and path.endswith(_PACKED) and _takes_gzip(scope)
        if packed and path in self._packed and scope["method"] == "GET":
            return self._from_memory(path)
        response = await super().get_response(path, scope)
        if packed and response.status_code == 200:
            await anyio.to_thread.run_sync(self._pack, path)
            response = self._from_memory(path)
        response.headers["Cache-Control"] = IMMUTABLE if fresh else REVALIDATE
        return response

    def warm(self) -> None:
        """Compress all files now; takes a moment, and the first reader waits less."""
        for path in sorted(self._folder.rglob("*")):
            if path.suffix in _PACKED and _is_served(path, self._folder):
                self._pack(path.relative_to(self._folder).as_posix())

    def _pack(self, path: str) -> None:
        if path not in self._packed:
            data = (self._folder / path).read_bytes()
            if path.endswith(".css"):
                data = self._joined(path, data.decode()).encode()
            self._packed[path] = gzip.compress(data, 9)

    def _joined(self, path: str, text: str) -> str:
        """Put style sheets in the place of the lines that import them from the same folder."""
        folder = (self._folder / path).parent
        return _SHEET.sub(lambda found: (folder / found[1]).read_text(), text)

    def _from_memory(self, path: str) -> Response:
        """Give the file compressed; its URL names the content, so one copy serves for ever."""
        headers = {
            "Content-Encoding": "gzip",
            "Vary": "Accept-Encoding",
            "Cache-Control": IMMUTABLE,
        }
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return Response(self._packed[path], headers=headers, media_type=kind)


def _takes_gzip(scope: Scope) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")
