"""BlueFors by its log files: the newest line of today, or of yesterday just after midnight.

Layouts: ``<folder>/YY-MM-DD/CH6 T YY-MM-DD.log``, or all files in one folder; lines
``DD-MM-YY,HH:MM:SS,value``, from older software with a blank in front. Only the end of a file is
read, and only complete lines of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from qcodes.instrument import Instrument

from drivers.bluefors import Newest
from stm_daq.errors import InstrumentError
from stm_daq.station import surroundings

TAIL = 4096
"""Bytes read from the end of a file; a line has some thirty."""


def newest_line(path: Path) -> tuple[datetime, float] | None:
    """Return local time and value of the last complete, readable line; None if there is none.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(stream.tell() - TAIL, 0))
        complete, newline, _being_written = stream.read().rpartition(b"\n")
    for line in reversed(complete.split(b"\n")) if newline else ():
        found = parse_line(line.decode("ascii", errors="replace"))
        if found is not None:
            return found
    return None


def parse_line(line: str) -> tuple[datetime, float] | None:
    """Read one line; None if it is damaged."""
    words = line.strip().split(",")
    try:
        moment = datetime.strptime(f"{words[0]},{words[1]}", "%d-%m-%y,%H:%M:%S")
        return moment, float(words[2])
    except (IndexError, ValueError):
        return None


class BlueforsLogs(Instrument):
    """QCoDeS driver that reads log files; adapter: :class:`drivers.bluefors.BlueforsThermometer`.

    Parameters
    ----------
    name : str
    folder : str
        Where the control software writes its logs.
    channel : int
        Thermometer, from 1.
    """

    def __init__(self, name: str, folder: str, channel: int = 6) -> None:
        super().__init__(name)
        self._folder = Path(folder)
        self._channel = channel
        for key, label, value in (
            ("folder", "Folder of the logs", folder),
            ("channel", "Channel", channel),
        ):
            self.add_parameter(
                key, label=label, get_cmd=None, set_cmd=False, initial_cache_value=value
            )

    def newest(self, wall: float) -> Newest:
        """Return the last measurement before the date `wall` (s since the Unix epoch).

        Raises
        ------
        InstrumentError
            If the folder cannot be read.
        """
        try:
            root = surroundings.folder(self._folder)
            lines = (newest_line(path) for path in self._files(root, wall))
            found = next((line for line in lines if line is not None), None)
        except OSError as error:
            raise InstrumentError(
                f"{self.name}: cannot read the logs in {self._folder} ({error}); is the folder "
                "shared with this computer?"
            ) from error
        if found is None:
            return Newest(math.nan, math.inf)
        moment, kelvin = found
        return Newest(kelvin, _age(moment, wall))

    def get_idn(self) -> dict[str, str | None]:
        """Return what is known without asking."""
        return {"vendor": "BlueFors", "model": "log files", "serial": None, "firmware": None}

    def _files(self, root: Path, wall: float) -> Iterator[Path]:
        """Yield those of today's files and then of yesterday's that exist."""
        if not root.is_dir():
            raise FileNotFoundError("there is no such folder")
        today = datetime.fromtimestamp(wall)
        for day in (today, today - timedelta(days=1)):
            date = day.strftime("%y-%m-%d")
            name = f"CH{self._channel} T {date}.log"
            for path in (root / date / name, root / name):
                if path.is_file():
                    yield path


def _age(moment: datetime, wall: float) -> float:
    """Return the age of a local time; of the two at the end of summer time the nearer one."""
    ages = [wall - moment.replace(fold=fold).timestamp() for fold in (0, 1)]
    return min(ages, key=abs)
