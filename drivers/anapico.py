"""AnaPico APSIN12G as microwave source, through PyMeasure (:mod:`drivers.pymeasure`)."""

from __future__ import annotations

from drivers.microwave import MicrowaveAdapter
from drivers.visa_errors import ask_whole

FLAGS = {3: "unlevelled", 5: "unlock"}
"""Bits POWer and FREQuency of the questionable status (SCPI-1999, volume 1, 20.3)."""


class AnapicoSource(MicrowaveAdapter):
    """An AnaPico generator; see :class:`drivers.microwave.MicrowaveAdapter`."""

    def flags(self) -> tuple[str, ...]:
        """Read what makes the output suspect: "unlock", "unlevelled", "microwave_fault"."""
        bits = ask_whole(self._source, ":STAT:QUES:COND?")
        known = tuple(flag for bit, flag in FLAGS.items() if bits >> bit & 1)
        rest = bits & ~sum(1 << bit for bit in FLAGS)
        return (*known, "microwave_fault") if rest else known
