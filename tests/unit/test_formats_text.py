"""Plain tables: units where the header states them, one clear line where it does not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stm_daq.errors import BadInputError
from stm_daq.store.formats import read_spectra as read
from stm_daq.store.formats.columns import column_of
from stm_daq.store.formats.units import unit_factor

BIAS = np.linspace(-5.0, 5.0, 21)  # mV
G = 10.0 + BIAS**2  # µS


def table(header: str, *columns, delimiter=",", end="\n") -> str:
    rows = (delimiter.join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True))
    return end.join([*([header] if header else []), *rows, ""])


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("bias_mV,G_inphase_uS", ","),
        ("Bias (mV)\tdI/dV (uS)", "\t"),
        ("V [mV];G [µS]", ";"),
        ("# bias_mV conductance_uS", " "),
        ("Bias (mV)  dI/dV (uS)", " "),
        ("Bias (mV) dI/dV (uS)", "   "),
        ('"Bias (mV)","conductance (µA/V)"', ","),
        ("energy_meV,dIdV_uS", ","),
    ],
)
def test_units_in_the_header_are_used(file, header, delimiter):
    spectra = read(file(table(header, BIAS, G, delimiter=delimiter)))
    np.testing.assert_allclose(spectra.bias, 1e-3 * BIAS, atol=1e-12)
    np.testing.assert_allclose(spectra.conductance, 1e-6 * G, rtol=1e-8)
    assert spectra.units_known
    assert spectra.conductance_unit == "S"
    assert spectra.current is None
    assert spectra.temperature is None


def test_all_columns_are_found(file):
    header = "temperature_K,bias_mV,G_inphase_uS,G_outofphase_uS,current_nA"
    text = table(header, 0.068 + 0 * BIAS, BIAS, G, 0 * G, BIAS * 10)
    spectra = read(file(text))
    assert dict(spectra.columns) == {
        "bias": "bias_mV",
        "conductance": "G_inphase_uS",
        "current": "current_nA",
        "temperature": "temperature_K",
    }
    assert spectra.temperature == pytest.approx(0.068)
    np.testing.assert_allclose(spectra.current, 1e-8 * BIAS, atol=1e-20)
    assert spectra.title == "data"


def test_several_spectra_of_a_series(file):
    text = table(
        "bias (mV)\tdI/dV_1\tdI/dV_2\tdI/dV_10", BIAS, G, 2 * G, 3 * G, delimiter="\t", end="\r\n"
    )
    spectra = read(file(text))
    np.testing.assert_allclose(spectra.conductance, np.outer([1, 2, 3], G))
    assert spectra.conductance_unit == ""
    assert not spectra.units_known


def test_dv_is_no_unit():
    assert column_of("dI_dV").unit == ""
    assert column_of("dI/dV").unit == ""
    assert unit_factor("dV") is None
    factor, unit = unit_factor("nA/mV")
    assert (factor, unit) == (pytest.approx(1e-6), "S")


def test_without_dv_the_current_is_differentiated(file):
    spectra = read(file(table("bias_mV,current_nA", BIAS, BIAS**2)))
    assert spectra.units_known
    # d/dV of 1 nA (V / mV)^2 is 2e-6 S (V / mV)
    np.testing.assert_allclose(spectra.conductance[1:-1], 2e-6 * BIAS[1:-1], atol=1e-15)
    assert spectra.columns["conductance"] == "numerical derivative of current_nA"


def test_a_decimal_comma(file):
    text = table("Bias (mV);G (uS)", BIAS, G, delimiter=";").replace(".", ",")
    np.testing.assert_allclose(read(file(text)).bias, 1e-3 * BIAS, atol=1e-12)


def test_columns_named_by_the_user(file):
    path = file(table("u_mV,a,b_nS,note", BIAS, G, 2 * G, G))
    np.testing.assert_allclose(read(path, "u_mV", "b_nS").conductance, 2e-9 * G)
    np.testing.assert_allclose(read(path, "1", "2:uS").conductance, 1e-6 * G)
    np.testing.assert_allclose(read(path, "1:V", "a").bias, BIAS)
    assert read(path, "1", "a").conductance_unit == ""
    with pytest.raises(
        BadInputError, match=r"--bias-column: there is no column 'x'; there are 1 'u_mV'"
    ):
        read(path, "x", "a")
    with pytest.raises(BadInputError, match="unit 'parsec' is not known"):
        read(path, "1:parsec", "a")


def test_a_table_without_header_needs_the_user(file):
    path = file(table("", BIAS, G, 0 * G, delimiter=" \t "), "MgB2.dat")
    with pytest.raises(
        BadInputError, match=r'MgB2.dat: 3 columns without names.*--bias-column "1:mV"'
    ):
        read(path)
    spectra = read(path, "1:mV", "2")
    np.testing.assert_allclose(spectra.bias, 1e-3 * BIAS, atol=1e-12)
    np.testing.assert_allclose(spectra.conductance, G)
    assert not spectra.units_known
    np.testing.assert_allclose(read(path, "1", "2:S").bias, BIAS)  # taken as SI
    assert read(path, "1", "2:S").units_known


def test_a_bias_without_unit_needs_the_user(file):
    path = file(table("bias,conductance", BIAS, G))
    with pytest.raises(BadInputError, match=r"'bias' states no unit.*--bias-column \"1:mV\""):
        read(path)
    assert read(path, "bias:mV").bias[0] == pytest.approx(-5e-3)
    assert read(path, "bias").bias[0] == -5.0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"bias_mV,G_uS\n", "no rows of numbers"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary file"),
        (
            table("bias_mV,G_uS", BIAS, G)[:-4].encode(),
            r":22: 1 values where .* 2; the file is cut off",
        ),
        (table("bias_mV,G_uS", BIAS[:5], G[:5]).encode(), "5 points are too few"),
        (table("bias_mV,G_uS", 0 * BIAS + 1, G).encode(), "the bias is 0.001 V everywhere"),
        (table("bias_mV,G_uS", BIAS, G * np.nan).encode(), "conductance holds no numbers"),
        (
            table("bias_mV,G_uS", BIAS * np.nan, G).encode(),
            "the bias column holds numbers in too few",
        ),
        (table("distance (nm),height (nm)", BIAS, G).encode(), "recognisable as the bias"),
        (table("bias_mV,height (nm)", BIAS, G).encode(), "recognisable as dI/dV or current"),
        (table("bias_s,G_uS", BIAS, G).encode(), "states no unit of a voltage"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(file, content, reason):
    path = file(content)
    with pytest.raises(BadInputError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("style", [".3f", ".6e", "d"])
def test_a_file_cut_within_its_last_number_loses_that_row(file, style):
    values = (1000 + 10 * np.arange(21)).astype(int if style == "d" else float)
    rows = [f"{v:.2f},{g:{style}}" for v, g in zip(BIAS, values, strict=True)]
    text = "\n".join(["bias_mV,G_uS", *rows])
    whole = read(file(text))  # without an end of line, but nothing is missing
    assert (len(whole.bias), whole.remarks) == (21, ())
    for missing in (1, 2):
        if text[-missing - 1] in "e+-":
            continue  # no number at all: refused
        cut = read(file(text[:-missing]))
        assert len(cut.bias) == 20
        assert "line 22" in cut.remarks[0]
    assert read(file(text[:-1] + "\n")).remarks == ()  # written so on purpose


def test_rows_and_cells_without_a_number(file):
    rows = table("bias_mV,G_uS", BIAS, G).splitlines()
    rows[3] = "-4.5,"
    rows[5] = "nan,nan"
    rows[6] = ","
    spectra = read(file("\n".join([*rows, ""])))
    assert len(spectra.bias) == 19
    assert np.flatnonzero(np.isnan(spectra.conductance)).tolist() == [2]
    assert spectra.remarks == ("2 rows without a bias are left out",)


def test_the_temperature_is_that_of_most_points(file):
    kelvin = np.where(BIAS > 4, 7.0, 1.9)
    spectra = read(file(table("T (K),bias_mV,G_uS", kelvin, BIAS, G)))
    assert spectra.temperature == pytest.approx(1.9)
    assert "ran from 1.9 to 7 K" in spectra.remarks[0]


def test_standard_errors_named_by_the_user(file):
    path = file(table("bias_mV,G_uS,error,error_uS,error_mV", BIAS, G, 1 + 0 * G, G, G))
    assert read(path).noise is None
    np.testing.assert_allclose(read(path, noise_column="error").noise, 1e-6)
    np.testing.assert_allclose(read(path, noise_column="4").noise, 1e-6 * G)
    assert read(path, noise_column="4").columns["noise"] == "error_uS"
    with pytest.raises(BadInputError, match="'error_mV' is in V, the conductance in S"):
        read(path, noise_column="error_mV")
    with pytest.raises(BadInputError, match="not positive everywhere"):
        read(path, noise_column="1:uS")


def test_a_missing_file_is_said_in_one_line(tmp_path):
    with pytest.raises(BadInputError, match=r"nothing\.csv: cannot be read \(No such file"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(BadInputError, match="cannot be read"):
        read(tmp_path)


def test_a_word_among_the_numbers_names_its_line(file):
    text = table("bias_mV,G_uS", BIAS, G).splitlines()
    text[7] = "-2,--"
    with pytest.raises(BadInputError, match=r"data\.csv:8: '-2,--' is not a row of numbers"):
        read(file("\n".join(text)))


def complaint(path) -> str:
    """Return what the reader complains of."""
    try:
        read(path)
    except BadInputError as error:
        return str(error)
    return ""


@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), st.integers(0, 400)
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
def test_garbage_never_raises_anything_else(file, garbage, place):
    whole = table("bias_mV,G_uS,current_nA", BIAS, G, BIAS).encode()
    for content in (garbage, whole[:place] + garbage + whole[place:]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert "\n" not in complaint(file(content))
