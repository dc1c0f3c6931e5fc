"""What an earlier part of a resumed run has measured, handed out as if it were measured again.

The sequencer goes through its sites from the beginning and decides everything as it did: what is
repeated, what is flagged, whether the tip has changed. As long as there is a stored spectrum for what
it wants to measure, it gets that one and no instrument is touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from stm_daq.records import Fit, Spectrum

AGAIN = "again: "
"""How the reason of a spectrum begins that was measured again at the end of its map."""


class Replay:
    """The spectra of an earlier part of a run, and their fits.

    Parameters
    ----------
    spectra : sequence of Spectrum
        In the order in which they were measured.
    fits : mapping
        By site and attempt; may be filled until the run goes on.
    """

    def __init__(
        self,
        spectra: Sequence[Spectrum] = (),
        fits: Mapping[tuple[int, int], Fit] | None = None,
    ) -> None:
        self._waiting: dict[int, deque[Spectrum]] = {}
        for spectrum in spectra:
            self._waiting.setdefault(spectrum.site.index, deque()).append(spectrum)
        self.over = not spectra
        """Whether the last of them was handed out: from here on everything is measured."""
        self._fits = {} if fits is None else fits
        self.last = spectra[-1] if spectra else None
        """With it the earlier part ended."""

    def holds(self, site: int) -> bool:
        """Whether something of a site is still to be handed out."""
        return bool(self._waiting.get(site))

    def take(self, site: int, again: bool) -> tuple[Spectrum, Fit | None] | None:
        """Return the next spectrum of a site and its fit.

        Parameters
        ----------
        site : int
            Its index.
        again : bool
            Whether a site is begun once more, at the end of its map.

        Returns
        -------
        (Spectrum, Fit or None) or None
            None if none was measured then.
        """
        waiting = self._waiting.get(site)
        if not waiting or waiting[0].reason.startswith(AGAIN) != again:
            return None
        spectrum = waiting.popleft()
        self.over |= spectrum is self.last
        return spectrum, self._fits.get((site, spectrum.attempt))
