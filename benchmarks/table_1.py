"""Table I of Liao et al., Phys. Rev. B 100, 214505 (2019), fitted again: python benchmarks/table_1.py

The paper prints the parameters of five fits, not the spectra. Here each spectrum is what BTK gives for
the printed parameters, with noise, and is fitted with BTK, which must find them again, and with the
Dynes formula as the paper has it (no temperature: its broadening stands for everything), whose gap and
broadening are set beside the paper's. The last column asks which model describes it better.
"""

from __future__ import annotations

import numpy as np

from stm_daq.fitting.spectrum import fit_spectrum
from stm_daq.physics import btk

ROWS = (
    ("b", 0.35, 1.95, 3.15, "0.395, 0.235"),
    ("c", 1.39, 2.44, 1.44, "1.27, 0.34"),
    ("d", 0.66, 0.94, 0.56, "0.287, 0.237"),
    ("e", 0.44, 2.60, 0.003, "no fit"),
    ("f", 0.25, 0.42, 0.002, "no fit"),
)
"""Label; gap (meV), T (K), Z by BTK; gap and broadening (meV) by Dynes."""
NOISE = 0.02
MODULATION = 140e-6
COLD = 0.05
"""K; stands for the missing temperature of the paper's Dynes formula."""


def main() -> None:
    """Print the table."""
    bias = np.linspace(4e-3, -4e-3, 256)
    rng = np.random.default_rng(1)
    head = (
        "",
        "paper: gap, T, Z",
        "BTK here",
        "paper: Dynes gap, broadening",
        "Dynes here",
        "chi2",
    )
    print("{:2} {:22} {:46} {:30} {:26} {}".format(*head))
    for label, gap, temperature, barrier, dynes in ROWS:
        exact = btk.conductance(bias, gap * 1e-3, temperature, barrier, modulation=MODULATION)
        data = 20e-9 * (exact + NOISE * rng.standard_normal(len(bias)))
        found = fit_spectrum(bias, data, model="btk", modulation=MODULATION)
        other = fit_spectrum(bias, data, model="dynes", fixed={"temperature": COLD})
        ours = ", ".join(
            f"{found.values[name] * factor:.3f}±{found.std[name] * factor:.3f}"
            for name, factor in (("gap", 1e3), ("temperature", 1), ("barrier", 1))
        )
        theirs = ", ".join(f"{other.values[name] * 1e3:.3f}" for name in ("gap", "broadening"))
        verdict = "" if other.ok else " (not ok)"
        chi = f"{found.reduced_chi_square:.2f} / {other.reduced_chi_square:.2f}"
        print(f"{label:2} {f'{gap}, {temperature}, {barrier}':22} {ours:46} {dynes:30} "
              f"{theirs + verdict:26} {chi}")  # fmt: skip


if __name__ == "__main__":
    main()
