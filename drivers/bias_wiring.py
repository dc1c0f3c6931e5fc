"""How a source reaches the junction: its divider, and what follows from it."""

from __future__ import annotations

import math

from stm_daq.errors import OutOfRangeError
from stm_daq.quantities import show

ROUNDING = 1 + 1e-9


def require_divider(divider: float, largest: float, full_scale: float) -> None:
    """Refuse a divider through which the bias cannot reach its limits.

    Parameters
    ----------
    divider : float
        Junction voltage per volt of the source.
    largest : float
        Largest bias at the junction that the station allows, V.
    full_scale : float
        Largest voltage of the source, V.

    Raises
    ------
    OutOfRangeError
    """
    if not 0 < abs(divider) < math.inf:
        raise OutOfRangeError(f"divider must be a number other than 0, not {divider}")
    if largest < math.inf and largest / abs(divider) > full_scale * ROUNDING:
        raise OutOfRangeError(
            f"the bias limit of {show(largest, 'V')} would need {show(largest / abs(divider), 'V')} "
            f"at the DAC, which gives {show(full_scale, 'V')} at most"
        )
