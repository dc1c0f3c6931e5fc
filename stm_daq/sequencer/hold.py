"""The held feedback as an owned resource: whoever opens the loop closes it, on every path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stm_daq.errors import CleanupError
from stm_daq.station.roles import BiasSource, ListSource, StmController
from stm_daq.station.safe_state import Step, restore


def close_loop(
    stm: StmController,
    bias: BiasSource,
    setpoint_bias: float,
    cause: BaseException | None = None,
) -> None:
    """Bring bias and feedback back after something went wrong, or at the end.

    The bias comes first: closing the loop at another bias would drive the tip into the sample. If the
    bias cannot be brought back, or the loop cannot be closed, the tip is withdrawn instead.

    Parameters
    ----------
    stm, bias : roles
    setpoint_bias : float
        Bias under which the feedback may be closed, V.
    cause : exception, optional
        What went wrong before, for the message.

    Raises
    ------
    CleanupError
        If any step failed; all that could safely be done was done.
    """
    abort: list[Step] = []
    if isinstance(bias, ListSource):
        abort = [("stop the bias list", bias.abort_list)]
    failures = restore(abort)
    unsafe = restore([("ramp the bias back", lambda: bias.ramp_to(setpoint_bias))])
    if not unsafe:
        unsafe = restore([("close the feedback loop", stm.release)])
    stuck = restore([("withdraw the tip", stm.withdraw)]) if unsafe else []
    withdrawn = bool(unsafe) and not stuck
    if failures or unsafe:
        raise CleanupError([*failures, *unsafe, *stuck], withdrawn, cause) from cause


@contextmanager
def held_feedback(stm: StmController, bias: BiasSource, setpoint_bias: float) -> Iterator[None]:
    """Hold the feedback inside the block; afterwards the bias is back and the loop is closed.

    After a sweep that went well the hardware list has already returned the bias to the set-point, so
    only the loop is closed. If anything was raised (an instrument's error, an abort by the user), see
    :func:`close_loop`.

    Raises
    ------
    CleanupError
        If the loop could not be closed; the original error is its ``__cause__``.
    """
    try:
        stm.hold()
        yield
        stm.release()
    except BaseException as error:
        close_loop(stm, bias, setpoint_bias, error)
        raise
