"""The loader says no: raised inside the relocation code, turned into a LoaderError at its edge."""

from __future__ import annotations

from engine.errors import EngineError


class Refusal(Exception):
    """`code` is what the loader would report (an errno's name, a step), `text` its words.

    `reason` says in our words what the loader keeps to itself. A text that `names_relo` is
    printed behind `relo #N: `, others only behind the name of the program. `sentence` is how
    loaders say it that give one sentence an error (see `engine.core.wording`).
    """

    def __init__(
        self,
        code: str,
        text: str = "",
        *,
        reason: str = "",
        names_relo: bool = True,
        sentence: str = "",
    ) -> None:
        super().__init__(text or reason or code)
        self.code = code
        self.text = text
        self.reason = reason
        self.names_relo = names_relo
        self.sentence = sentence


def as_refusal(error: Refusal | EngineError) -> Refusal:
    """A broken type graph, found while relocating, is the loader's EINVAL."""
    return error if isinstance(error, Refusal) else Refusal("EINVAL", reason=error.message)


ERRNO_NUMBERS = {"E2BIG": 7, "EINVAL": 22, "ENOENT": 2, "ERANGE": 34, "EOPNOTSUPP": 95}
"""Linux include/uapi/asm-generic/errno*.h."""
