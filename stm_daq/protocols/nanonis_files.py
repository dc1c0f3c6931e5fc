"""The files that a Nanonis controller writes, as bytes: ``.dat``, ``.sxm``, ``.3ds``.

Nothing here touches a disk. Layouts as in files of version 5 (Generic 5e); every reader that we know
of needs the keys that are written here. All numbers are SI, binary data big-endian float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from stm_daq.protocols.nanonis_frame import NanonisFrame

type Array = NDArray[np.float64]

_FLOAT = ">f4"
_END_OF_GRID = ":HEADER_END:"


def date_and_time(wall: float) -> tuple[str, str]:
    """Return the date and the time of day as Nanonis writes them, UTC."""
    moment = datetime.fromtimestamp(wall, UTC)
    return moment.strftime("%d.%m.%Y"), moment.strftime("%H:%M:%S")


def dat_file(
    experiment: str, wall: float, header: Mapping[str, str], names: Sequence[str], columns: Array
) -> bytes:
    """Return a point spectrum.

    Parameters
    ----------
    experiment : str
        Such as "bias spectroscopy".
    wall : float
        When it was saved, s since the Unix epoch.
    header : mapping of str to str
        Further lines; no tabs or line ends.
    names : sequence of str
        Of the columns, such as "Current (A)".
    columns : array, shape (len(names), n)
    """
    date, time = date_and_time(wall)
    lines = {"Experiment": experiment, "Saved Date": f"{date} {time}", "User": "", **header}
    # readers cut the last two characters off a line: the tab and the carriage return
    text = "".join(f"{key}\t{value}\t\r\n" for key, value in lines.items())
    rows = "\r\n".join("\t".join(f"{value:.7E}" for value in row) for row in columns.T)
    names_line = "\t".join(names)
    return f"{text}\r\n[DATA]\r\n{names_line}\r\n{rows}\r\n".encode("ascii", "replace")


@dataclass(frozen=True)
class ScanFile:
    """A scan as it is saved."""

    path: str
    series: str
    comment: str
    start: float
    """When the scan began, s since the Unix epoch."""
    duration: float
    """s."""
    temperature: float
    """K."""
    frame: NanonisFrame
    line_times: tuple[float, float]
    """Seconds a line forward and backward."""
    upwards: bool
    bias: float
    """V."""
    setpoint: float
    """A."""
    feedback: bool
    images: Sequence[tuple[str, Array, Array]]
    """Signal such as "Z (m)", image forward and backward, shape (lines, pixels), in the order in
    which the lines were scanned; left is left in both. NaN where nothing was scanned."""
    gains: tuple[float, float, float] = (1e-12, 1e-9, 1e-3)
    """Of the feedback: P (m), I (m/s), time constant (s)."""


def sxm_file(scan: ScanFile) -> bytes:
    """Return a scan; backward images are stored as they were scanned, from right to left."""
    text = "".join(f":{key}:\n{value}\n" for key, value in _sxm_header(scan).items())
    data = [
        np.asarray(image, dtype=_FLOAT).tobytes()
        for _, forward, backward in scan.images
        for image in (forward, backward[:, ::-1])
    ]
    head = f"{text}:SCANIT_END:\n\n\n".encode("ascii", "replace")
    return b"".join([head, b"\x1a\x04", *data])


def _sxm_header(scan: ScanFile) -> dict[str, str]:
    lines, pixels = scan.images[0][1].shape
    x, y, width, height, angle = scan.frame
    date, time = date_and_time(scan.start)
    p, i, tau = scan.gains
    controller = (
        "\tName\ton\tSetpoint\tP-gain\tI-gain\tT-const\n"
        f"\tlog Current\t{int(scan.feedback)}\t{scan.setpoint:.6E} A\t"
        f"{p:.6E} m\t{i:.6E} m/s\t{tau:.6E} s"
    )
    channels = ["\tChannel\tName\tUnit\tDirection\tCalibration\tOffset"]
    for number, (signal, _, _) in enumerate(scan.images):
        name, _, unit = signal.rstrip(")").rpartition(" (")
        cells = (str(number), name.replace(" ", "_"), unit, "both", "1.000E+0", "0.000E+0")
        channels.append("\t" + "\t".join(cells))
    return {
        "NANONIS_VERSION": "2",
        "SCANIT_TYPE": "              FLOAT            MSBFIRST",
        "REC_DATE": f" {date}",
        "REC_TIME": time,
        "REC_TEMP": f"      {scan.temperature:.10f}",
        "ACQ_TIME": f"       {scan.duration:.1f}",
        "SCAN_PIXELS": f"       {pixels}       {lines}",
        "SCAN_FILE": scan.path,
        "SCAN_TIME": "             {:.3E}             {:.3E}".format(*scan.line_times),
        "SCAN_RANGE": f"           {width:.6E}           {height:.6E}",
        "SCAN_OFFSET": f"             {x:.6E}         {y:.6E}",
        "SCAN_ANGLE": f"            {angle:.3E}",
        "SCAN_DIR": "up" if scan.upwards else "down",
        "BIAS": f"            {scan.bias:.3E}",
        "Z-CONTROLLER": controller,
        "COMMENT": scan.comment,
        "Scan>series name": scan.series,
        "DATA_INFO": "\n".join(channels) + "\n",
    }


@dataclass(frozen=True)
class GridFile:
    """A grid of spectra as it is saved."""

    shape: tuple[int, int]
    """Rows, columns."""
    frame: NanonisFrame
    fixed: Sequence[str]
    """Parameters that the sweep has: "Sweep Start" and "Sweep End"."""
    parameters: Sequence[str]
    """Further parameters of every pixel; the third is the height, "Z (m)"."""
    points: int
    channels: Sequence[str]
    """Such as "Current (A)"."""
    segmented: bool
    """Whether the steps of the sweep are unequal."""
    delay: float
    """Before every spectrum, s."""
    start: float
    """When the grid began, s since the Unix epoch."""
    bias: float
    """V."""
    comment: str = ""
    sweep: str = "Bias (V)"
    """What is swept."""


def grid_header(grid: GridFile, end: float) -> bytes:
    """Return the header of a ``.3ds``; its length does not depend on `end` (s since the epoch)."""
    rows, columns = grid.shape
    x, y, width, height, angle = grid.frame
    lines = {
        "Grid dim": f'"{columns} x {rows}"',
        "Grid settings": f"{x:.6E};{y:.6E};{width:.6E};{height:.6E};{angle:.6E}",
        "Filetype": "MLS" if grid.segmented else "Linear",
        "Sweep Signal": f'"{grid.sweep}"',
        "Fixed parameters": '"{}"'.format(";".join(grid.fixed)),
        "Experiment parameters": '"{}"'.format(";".join(grid.parameters)),
        "# Parameters (4 byte)": str(len(grid.fixed) + len(grid.parameters)),
        "Experiment size (bytes)": str(4 * grid.points * len(grid.channels)),
        "Points": str(grid.points),
        "Channels": '"{}"'.format(";".join(grid.channels)),
        "Delay before measuring (s)": f"{grid.delay:.6E}",
        "Experiment": '"Grid Spectroscopy"',
        "Start time": '"{} {}"'.format(*date_and_time(grid.start)),
        "End time": '"{} {}"'.format(*date_and_time(end)),
        "User": "",
        "Comment": f'"{grid.comment}"',
        "Bias>Bias (V)": f"{grid.bias:.6E}",
    }
    text = "".join(f"{key}={value}\r\n" for key, value in lines.items())
    return f"{text}{_END_OF_GRID}\r\n".encode("ascii", "replace")


def grid_pixel(parameters: Sequence[float], traces: Array) -> bytes:
    """Return one pixel of a ``.3ds``: fixed and other parameters, traces (channels, points)."""
    head = np.asarray(parameters, dtype=_FLOAT).tobytes()
    return head + np.asarray(traces, dtype=_FLOAT).tobytes()
