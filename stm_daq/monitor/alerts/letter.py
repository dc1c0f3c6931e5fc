"""One alert as it is sent: plain text, whatever an instrument may have replied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LONGEST = 1000
"""Characters of a text."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An alert on its way out."""

    number: int
    """In its spool."""
    time: float
    """Seconds since the Unix epoch."""
    run: str
    """Identifier of the run; "" if it is about none."""
    name: str
    """Of the plan or station, for people."""
    rule: str
    level: str
    text: str

    @property
    def subject(self) -> str:
        """One line."""
        return plain(f"[stm_daq] {self.level}: {self.name}: {self.text}", 200)

    @property
    def line(self) -> str:
        """One line with the time."""
        return plain(f"{moment(self.time)} {self.level} [{self.rule}] {self.name}: {self.text}")

    @property
    def body(self) -> str:
        """All that is known, a line each."""
        return (
            f"{plain(self.text)}\n\n{plain(self.name)}\nrun {plain(self.run) or '-'}\n"
            f"{moment(self.time)}, rule {plain(self.rule)}, {self.level}\n"
        )


def plain(text: str, longest: int = LONGEST) -> str:
    """Make one printable line of any text: no control characters, not too long."""
    words = " ".join(text.split())
    kept = "".join(c for c in words if c.isprintable())
    return kept if len(kept) <= longest else kept[: longest - 3] + "..."


def moment(time: float) -> str:
    """Write a time as a date that sorts, with its offset from UTC."""
    return datetime.fromtimestamp(time).astimezone().isoformat(" ", "seconds")
