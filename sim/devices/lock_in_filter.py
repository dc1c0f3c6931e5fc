"""The low-pass filter of a lock-in amplifier, exact in virtual time.

n equal RC stages in a row, each obeying ``tau dx_k/dt = x_(k-1) - x_k`` with the demodulated input
x_0. Between two moments the input is constant, so the stages relax towards it with the impulse
responses

    h_k(t) = (t/tau)^k / k! exp(-t/tau) / tau,   k = 0 ... n-1

of one to n stages. White noise at the input is filtered with the same stages: over a time t they
pick up Gaussian noise with covariance ``S/2 integral_0^t h_j h_k dt'``, S the one-sided power
density. Values at different times are therefore correlated as they are in the instrument.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type ComplexArray = NDArray[np.complex128]


MOST_POLES = 8


class LowPass:
    """State of a chain of RC stages for the two quadratures X + iY.

    Parameters
    ----------
    rng : numpy Generator
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._signal = np.zeros(MOST_POLES, dtype=np.complex128)
        self._noise = np.zeros(MOST_POLES, dtype=np.complex128)

    def settle(self, target: complex) -> None:
        """Be settled at `target`, without noise so far."""
        self._signal[:] = target
        self._noise[:] = 0.0

    def run(
        self, durations: Array, targets: ComplexArray, densities: Array, tau: float, poles: int
    ) -> ComplexArray:
        """Let time pass and return the output after each interval.

        Parameters
        ----------
        durations : ndarray, shape (n,)
            Lengths of the intervals, s.
        targets : ndarray, shape (n,)
            Input during each interval, V.
        densities : ndarray, shape (n,)
            Noise of either quadrature of the input during each interval, V/sqrt(Hz).
        tau : float
            Time constant of one stage, s.
        poles : int
            Number of stages, 1 to 8.
        """
        normal = self._rng.standard_normal((len(durations), poles, 2)).view(np.complex128)[..., 0]
        output = np.empty(len(durations), dtype=np.complex128)
        _run(
            self._signal[:poles],
            self._noise[:poles],
            durations / tau,
            targets,
            densities / np.sqrt(2 * tau),
            normal,
            output,
        )
        return output


@numba.njit(cache=True)
def _run(signal, noise, durations, targets, scales, normal, output):  # type: ignore[no-untyped-def]
    poles = len(signal)
    root = np.zeros((poles, poles))
    done = -1.0
    for i in range(len(durations)):
        t = durations[i]
        if t != done:
            _noise_root(t, root)
            done = t
        signal -= targets[i]
        _relax(signal, t)
        signal += targets[i]
        _relax(noise, t)
        for j in range(poles):
            for k in range(j + 1):
                noise[j] += scales[i] * root[j, k] * normal[i, k]
        output[i] = signal[poles - 1] + noise[poles - 1]


@numba.njit(cache=True)
def _relax(stages, t):  # type: ignore[no-untyped-def]
    """Let the stages relax towards zero for `t` time constants."""
    for j in range(len(stages) - 1, -1, -1):
        total = 0.0 * stages[j]
        weight = np.exp(-t)
        for k in range(j, -1, -1):
            total += weight * stages[k]
            weight *= t / (j - k + 1)
        stages[j] = total


@numba.njit(cache=True)
def _noise_root(t, root):  # type: ignore[no-untyped-def]
    """Cholesky factor of the covariance of unit noise picked up in `t` time constants.

    The covariance is ``binom(m, j) / 2^(m+1) P(m+1, 2t)``, m = j + k, with the regularised
    incomplete gamma function P. For short times it is nearly singular: pivots are kept >= 0.
    """
    poles = len(root)
    for j in range(poles):
        for k in range(j + 1):
            m = j + k
            binomial = 1.0
            for i in range(k):
                binomial *= (m - i) / (i + 1)
            total = binomial / 2.0 ** (m + 1) * _incomplete_gamma(m, 2 * t)
            for i in range(k):
                total -= root[j, i] * root[k, i]
            if j == k:
                root[j, j] = np.sqrt(max(total, 0.0))
            elif root[k, k] > 0:
                root[j, k] = total / root[k, k]
            else:
                root[j, k] = 0.0


@numba.njit(cache=True)
def _incomplete_gamma(m, x):  # type: ignore[no-untyped-def]
    """Return P(m+1, x) = 1 - exp(-x) sum_(i<=m) x^i/i!, without cancellation at small x."""
    term = np.exp(-x)
    if x > m + 2:
        below = term
        for i in range(1, m + 1):
            term *= x / i
            below += term
        return 1 - below
    for i in range(1, m + 2):
        term *= x / i
    above, i = 0.0, m + 1
    while term > 1e-17 * above:
        above += term
        i += 1
        term *= x / i
    return above
