"""What alerts cost a run: time in the run's thread per record, with sinks that work, hang or raise.

The alternative beside it is to send in the run's own thread.

    python -m benchmarks.alert_cost
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from stm_daq.alert_settings import AlertSettings, CommandBlock, FileBlock, RuleBlock, SinkBlock
from stm_daq.monitor.alerts.alerter import Alerter
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.sinks import SinkError, make_sinks
from stm_daq.records import Event, Fit, Frame, RunStarted

RECORDS = 20_000
FIT = Fit(0, 0, "btk", {"gap": 7e-4}, {"gap": 1e-6}, 1.0, True)


def started(run_id: str) -> RunStarted:
    return RunStarted(
        run_id, "run", 1.8e9, "cost", "TiN", "", "", Frame(0.0, 0.0, 1e-8, 1e-8), (128, 128),
        np.arange(128.0), np.arange(128.0), (0, 0), np.linspace(-4e-3, 4e-3, 256), 1e-4,
    )  # fmt: skip


def guard(number: int) -> Event:
    return Event(1.8e9 + number, "guard", "temperature is bad", {"guard": "t", "good": False})


def observed(folder: Path, sink: SinkBlock) -> tuple[float, float, float]:
    """Return median, 99th percentile and largest time (s) of the observer, for fits and guards."""
    rules = (RuleBlock(guard="any"), RuleBlock(state=("finished",)))
    alerter = Alerter(AlertSettings({"out": sink}, rules, 1e-6, folder), folder, lambda alert: None)
    alerter(started(folder.name))
    times = np.empty(RECORDS)
    for number in range(RECORDS):
        record = guard(number) if number % 1000 == 0 else FIT
        begin = time.perf_counter()
        alerter(record)
        times[number] = time.perf_counter() - begin
    alerter.close(patience=0.5)
    return float(np.median(times)), float(np.percentile(times, 99)), float(times.max())


def in_line(folder: Path, sink: SinkBlock) -> float:
    """Return the time (s) that one alert takes in the run's own thread."""
    out = make_sinks(AlertSettings({"out": sink}, (), 600.0, folder))["out"]
    begin = time.perf_counter()
    with suppress(SinkError):
        out.send(Letter(0, 1.8e9, "r", "cost", "guard", "alarm", "bad"))
    return time.perf_counter() - begin


def command(code: str) -> SinkBlock:
    return SinkBlock(
        command=CommandBlock.model_construct(arguments=(sys.executable, "-c", code), timeout=20.0)
    )


def main() -> None:
    sinks = {
        "a file": SinkBlock(file=FileBlock(path="alerts.txt")),
        "a command": command("pass"),
        "a command that fails": command("raise SystemExit(1)"),
        "a command that hangs": command("import time; time.sleep(600)"),
    }
    print("| sink | observer, median | 99 % | largest | one alert sent in line |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as base:
        for number, (name, sink) in enumerate(sinks.items()):
            folder = Path(base) / f"run{number}"
            (folder / folder.name).mkdir(parents=True)
            median, most, largest = observed(folder, sink)
            print(f"| {name} | {median * 1e6:.1f} us | {most * 1e6:.1f} us | {largest * 1e3:.2f} ms "
                  f"| {in_line(folder, sink) * 1e3:.0f} ms |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
