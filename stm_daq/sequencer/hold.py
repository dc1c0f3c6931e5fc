"""The held feedback as an owned resource: whoever opens the loop closes it, on every path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stm_daq.errors import CleanupError
from stm_daq.sequencer.height import TipHeight
from stm_daq.station.roles import BiasSource, ListSource, StmController
from stm_daq.station.safe_state import Failure, Step, restore


def close_loop(
    stm: StmController,
    bias: BiasSource,
    setpoint_bias: float,
    cause: BaseException | None = None,
    height: TipHeight | None = None,
    current: float | None = None,
) -> None:
    """Bring bias, height and feedback back after something went wrong, or at the end.

    The bias comes first: closing the loop at another bias would drive the tip into the sample. If the
    bias cannot be brought back, or the loop cannot be closed, the tip is withdrawn instead. A height
    that could not be brought back does not hinder: from there the feedback finds its own way.

    Parameters
    ----------
    stm, bias : roles
    setpoint_bias : float
        Bias under which the feedback may be closed, V.
    cause : exception, optional
        What went wrong before, for the message.
    height : TipHeight, optional
        Of the tip, if it may have been moved while the feedback was held.
    current : float, optional
        Set-point at which the tip is to stay, A, if it may stand in contact now. It comes before the
        bias: the junction then conducts at no moment more than before. If it cannot be set, the tip
        is withdrawn.

    Raises
    ------
    CleanupError
        If any step failed; all that could safely be done was done.
    """
    abort: list[Step] = []
    if isinstance(bias, ListSource):
        abort = [("stop the bias list", bias.abort_list)]
    failures = restore(abort)
    unsafe: list[Failure] = []
    if current is not None:
        unsafe = restore([("lower the set-point current", lambda: stm.set_setpoint(current))])
    if not unsafe:
        unsafe = restore([("ramp the bias back", lambda: bias.ramp_to(setpoint_bias))])
    if not unsafe:
        failures += _height_back(height)
        unsafe = restore([("close the feedback loop", stm.release)])
    stuck = restore([("withdraw the tip", stm.withdraw)]) if unsafe else []
    withdrawn = bool(unsafe) and not stuck
    if failures or unsafe:
        raise CleanupError([*failures, *unsafe, *stuck], withdrawn, cause) from cause


def _height_back(height: TipHeight | None) -> list[Failure]:
    return [] if height is None else restore([("bring the tip's height back", height.back)])


@contextmanager
def held_feedback(
    stm: StmController, bias: BiasSource, setpoint_bias: float, height: TipHeight | None = None
) -> Iterator[None]:
    """Hold the feedback inside the block; afterwards bias and height are back, the loop is closed.

    After a sweep that went well the bias is at the set-point again, so only the height is brought back
    and the loop closed. If anything was raised (an instrument's error, an abort by the user), see
    :func:`close_loop`.

    Raises
    ------
    CleanupError
        If the loop could not be closed; the original error is its ``__cause__``.
    """
    try:
        stm.hold()
        if height is not None:
            height.held()
        yield
        if height is not None:
            height.back()
        stm.release()
    except BaseException as error:
        close_loop(stm, bias, setpoint_bias, error, height)
        raise
