"""Pasted logs as lines: any encoding, colours, prefixes of whoever passed them on.

A log that is too long is cut in the middle: loaders speak at its start, the verifier at its end.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine import limits

_ANSI: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_TIME: Final = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
_PREFIX: Final = re.compile(
    r"\s*(?:"
    rf"[A-Z][a-z]{{2}} [ \d]\d {_TIME} \S+ [^:\[\s]+(?:\[\d+\])?: "  # journald, syslog
    rf"|\d{{4}}[-/]\d\d[-/]\d\d[T ]{_TIME}(?:Z|[+-]\d\d:?\d\d)?(?: std(?:out|err) [FP])?\s+"
    r"|<\d{1,3}>"
    r"|\[ *\d+\.\d{3,9}\] (?:\[ *[TC]\d+\] )?"  # dmesg
    rf"|[IWEF]\d{{4}} {_TIME}\s+\d+ [\w.-]+:\d+\] "  # klog
    r"|\[[0-9TZ:.-]+ (?:TRACE|DEBUG|INFO|WARN|ERROR)\s+[\w:.-]+\] "  # env_logger
    r"|[A-Za-z][\w.-]{0,60}\s*\| "  # docker compose
    r"|(?:debug|info|warning|warn|error|DEBUG|INFO|WARN|ERROR): "
    r")"
)
_QUOTED: Final = re.compile(r'\b(?:msg|error|err)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_JSON: Final = re.compile(r'"(?:msg|message|error|err|log)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_NEWLINE: Final = re.compile(r"\\r?\\n|\\n")
_PLAIN: Final = re.compile(r"\d+: |; |R\d|from \d|frame\d|func#|processed ")
"""What the verifier's own lines begin with: nobody has put anything in front."""
_PREFIXES: Final = 4
_CONTROLS: Final = bytes(set(range(32)) - {*b"\t\n\r\f\x1b"})
_PARTS: Final = 20_000
"""Lines that one line with escaped line ends may hold."""


class LogLine(NamedTuple):
    """One line without its prefixes; `number` counts the lines of the log from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class LogText:
    """The lines that are looked at; `cut` when the middle of the log was left out."""

    lines: tuple[LogLine, ...]
    encoding: str
    total_bytes: int
    total_lines: int
    cut: bool

    @property
    def is_binary(self) -> bool:
        """Whether this looks like no text at all."""
        return self.encoding == "binary"


def log_text(source: bytes | Iterable[bytes]) -> LogText:
    """Read a log, whole or chunk by chunk; of a very long one its start and its end."""
    head, tail, total, count = _halves((source,) if isinstance(source, bytes) else source)
    encoding = _encoding(head)
    if encoding == "binary":
        return LogText((), encoding, total, count, total > len(head))
    rows, over = _head_rows(head, encoding, whole=not tail)
    cut = over or total > len(head) + len(tail)
    lines = [
        LogLine(number, text) for number, row in enumerate(rows, 1) for text in _unwrapped(row)
    ]
    if tail:
        ending, more = _tail_rows(tail, encoding)
        first = max(count - len(ending), len(rows)) + 1
        lines += [
            LogLine(number, text)
            for number, row in enumerate(ending, first)
            for text in _unwrapped(row)
        ]
        cut = cut or more
    return LogText(tuple(lines), encoding, total, count, cut)


def _halves(chunks: Iterable[bytes]) -> tuple[bytes, bytes, int, int]:
    """The first and the last bytes, and how many bytes and lines there are in all."""
    head = bytearray()
    tail: deque[bytes] = deque()
    held = total = lines = 0
    ended = True
    for chunk in chunks:
        if not chunk:
            continue
        total += len(chunk)
        lines += chunk.count(b"\n")
        ended = chunk.rstrip(b"\0").endswith(b"\n")
        room = max(limits.LOG_HEAD_BYTES - len(head), 0)
        head += chunk[:room]
        if len(chunk) > room:
            tail.append(chunk[room:])
            held += len(chunk) - room
        while tail and held - len(tail[0]) >= limits.LOG_TAIL_BYTES:
            held -= len(tail.popleft())
    return bytes(head), b"".join(tail)[-limits.LOG_TAIL_BYTES :], total, lines + (not ended)


def _encoding(head: bytes) -> str:
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16-le")):
        if head.startswith(mark):
            return name
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    sample = head[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > len(sample) // 3 and min(even, odd) <= max(even, odd) // 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    if len(sample) - len(sample.translate(None, _CONTROLS)) > 16 + len(sample) // 50:
        return "binary"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return "utf-8" if len(head) - error.start < 4 else "latin-1"
    return "utf-8"


def _head_rows(data: bytes, encoding: str, *, whole: bool) -> tuple[list[str], bool]:
    """The lines of the first half; one that was cut through is dropped."""
    rows = data.decode(encoding, "replace").split("\n", limits.LOG_LINES)
    over = len(rows) > limits.LOG_LINES
    if over or not whole:
        rows.pop()
    return rows, over


def _tail_rows(data: bytes, encoding: str) -> tuple[list[str], bool]:
    """The lines of the second half; one that was cut through is dropped."""
    if encoding.startswith("utf-16"):
        # A line ends in 0a 00 or in 00 0a; begin where such a pair begins.
        at = data.find(b"\n\0" if encoding == "utf-16-le" else b"\0\n")
        data = data[at % 2 :]
    rows = data.decode(encoding, "replace").rsplit("\n", limits.LOG_LINES)
    over = len(rows) > limits.LOG_LINES
    del rows[:1]
    if rows and not rows[-1]:
        rows.pop()
    return rows, over


def _unwrapped(line: str) -> Iterator[str]:
    """The lines that one line stands for, without prefixes and colours."""
    if len(line) > limits.LOG_LINE_CHARACTERS and "\\n" not in line:
        line = line[: limits.LOG_LINE_CHARACTERS]
    if _PLAIN.match(line) and "\x1b" not in line and "\\n" not in line:
        yield line.rstrip()
        return
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    for _ in range(_PREFIXES):
        match = _PREFIX.match(line)
        if match is None:
            break
        line = line[match.end() :]
    yield from _messages(line.lstrip("\ufeff").rstrip())


def _messages(line: str) -> Iterator[str]:
    """Messages inside key=value or JSON lines, and escaped line ends."""
    found = [a or b for a, b in _QUOTED.findall(line)] if "=" in line else []
    if line.startswith("{"):
        found += _JSON.findall(line)
    for text in found or [line]:
        if "\\n" not in text:
            yield _unescaped(text) if found else text
            continue
        for part in _NEWLINE.split(text)[:_PARTS]:
            yield _unescaped(part)[: limits.LOG_LINE_CHARACTERS].strip()


def _unescaped(text: str) -> str:
    return text.replace("\\t", " ").replace('\\"', '"') if "\\" in text else text
