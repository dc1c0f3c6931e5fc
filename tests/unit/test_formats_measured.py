"""Measured files of other laboratories; they are not part of the project and may be absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stm_daq.errors import BadInputError
from stm_daq.store.formats import read_spectra, read_topograph

DATA = Path(__file__).parents[2] / "../shared/realdata"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the measured files are not here")


@pytest.mark.parametrize(
    ("name", "points", "ends", "channel", "unit", "kelvin"),
    [
        ("NanonisReader_BiasSpectroscopy", 256, (-2, 2), "derivative of Current", "S", None),
        ("ethz_Bias-Spectroscopy", 201, (-52, -62), "derivative of Current", "S", None),
        ("nanonispy_Bias-Spectroscopy002", 1024, (-0.2, 0.2), "derivative of Input 3", "S", None),
        ("nxarray_filtered", 200, (-0.99982, 1), "LIY 1 omega (A)", "A", None),
        ("nxarray_i_v", 201, (-8e-3, 8e-3), "LIX 1 omega (A)", "A", 4.366),
        (
            "pynxtools_Bias-Spectroscopy00015_20230420",
            2048,
            (-0.05, 0.05),
            "LI Demod 1 X (A)",
            "A",
            1.6252,
        ),
        ("pynxtools_STS_nanonis_generic_5e_1", 4096, (-0.3, 0.3), "LI Demod 1 X (A)", "A", 4.92997),
    ],
)
def test_nanonis_spectra(name, points, ends, channel, unit, kelvin):
    spectra = read_spectra(DATA / "nanonis_files" / f"{name}.dat")
    assert spectra.bias.shape == spectra.conductance.shape == spectra.current.shape == (points,)
    assert (spectra.bias[0], spectra.bias[-1]) == pytest.approx(ends, rel=1e-4)
    assert (
        spectra.columns["conductance"].endswith(channel)
        or channel in spectra.columns["conductance"]
    )
    assert spectra.conductance_unit == unit
    assert spectra.temperature == (None if kelvin is None else pytest.approx(kelvin, rel=1e-3))
    assert np.isfinite(spectra.conductance).all()


def test_the_dip_lies_at_zero_bias():
    """Bias axis and lock-in channel belong together."""
    spectra = read_spectra(DATA / "nanonis_files" / "nxarray_i_v.dat")
    inside = np.abs(spectra.bias) < 0.5e-3
    outside = np.abs(spectra.bias) > 4e-3
    assert np.mean(spectra.conductance[inside]) < 0.8 * np.mean(spectra.conductance[outside])


def test_a_nanonis_grid():
    spectra = read_spectra(DATA / "nanonis_files" / "NanonisReader_STS_grid_lockin.3ds")
    assert spectra.remarks == ()  # it is complete
    assert spectra.conductance.shape == spectra.current.shape == (30, 30, 200)
    assert (spectra.bias[0], spectra.bias[-1]) == pytest.approx((-0.22, 0.22))
    assert spectra.conductance_unit == "V"
    with pytest.raises(BadInputError, match="the bias channel is not the same at all pixels"):
        read_spectra(spectra.source, bias_column="Bias_m (V)")  # not what was swept


def test_scans():
    z, size = read_topograph(DATA / "nanonis_files" / "FeSe_topography.sxm")
    assert z.shape == (224, 224)
    assert size == (2e-8, 2e-8)
    assert 1e-10 < np.ptp(z) < 1e-9
    z, size = read_topograph(DATA / "nanonis_files" / "Au_mica_2023_Y_A_diPAMY_20230512_058.sxm")
    assert z.shape == (256, 256)
    assert np.ptp(z) < 1e-12  # taken at constant height


NBSE2 = sorted((DATA / "nbse2_tunnel_70mK_TomDvir").glob("*.csv"))


@pytest.mark.parametrize("path", NBSE2, ids=lambda path: path.stem)
def test_nbse2(path):
    spectra = read_spectra(path)
    stated = float(path.stem.split("_T")[1].removesuffix("mK")) * 1e-3
    if "T2270" in path.stem:  # the stage ran up to 7.6 K after the gap had been measured
        assert spectra.temperature == pytest.approx(1.90, abs=0.01)
        assert "ran from 1.88 to 7.59 K" in spectra.remarks[0]
    else:
        assert spectra.temperature == pytest.approx(stated, rel=0.01)
        assert spectra.remarks == ()
    assert spectra.units_known
    # far outside the gap the lock-in and the slope of the measured current agree
    outside = np.abs(spectra.bias) > 3e-3
    slope = np.polyfit(spectra.bias[outside], spectra.current[outside], 1)[0]
    assert np.mean(spectra.conductance[outside]) == pytest.approx(slope, rel=0.1)


@pytest.mark.parametrize("name", ["MgB2_01.dat", "MgB2_02.dat"])
def test_mgb2_has_no_header(name):
    path = DATA / "mgb2_sts_gderosa" / name
    with pytest.raises(BadInputError, match="3 columns without names or units"):
        read_spectra(path)
    spectra = read_spectra(path, "1:mV", "2", "3")
    assert np.median(spectra.noise) == pytest.approx(0.014, abs=0.001)
    assert np.max(np.abs(spectra.bias)) == pytest.approx(21e-3, rel=0.02)
    assert np.median(spectra.conductance) == pytest.approx(1.0, abs=0.1)
    assert not spectra.units_known


def test_nbs2_is_a_series():
    spectra = read_spectra(DATA / "nbs2_sts_350mK_janberges" / "Figure_3b.txt")
    assert spectra.conductance.shape == (7, 334)
    assert spectra.bias[0] == pytest.approx(25e-3)


OTHER = [DATA / "README.md", *(DATA / "createc_files").glob("*"), *(DATA / "gxsm_files").glob("*")]


@pytest.mark.parametrize("path", OTHER, ids=lambda path: path.name)
def test_other_files_are_refused_in_one_line(path):
    with pytest.raises(BadInputError) as caught:
        read_spectra(path)
    assert "\n" not in str(caught.value)
