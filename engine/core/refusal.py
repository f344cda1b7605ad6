"""The loader says no: raised inside the relocation code, turned into a LoaderError at its edge."""

from __future__ import annotations


class Refusal(Exception):
    """`code` is what the loader would report (an errno's name, a step), `text` its words."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code
        self.text = text


ERRNO_NUMBERS = {"E2BIG": 7, "EINVAL": 22, "ENOENT": 2, "ERANGE": 34, "EOPNOTSUPP": 95}
"""Linux include/uapi/asm-generic/errno*.h."""
