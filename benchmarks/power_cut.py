"""Cuts the power of a journal's disk while it is written at full speed: is all that was reported there?

An ext4 file system in a file is mounted and shut down by the kernel in the middle of writing
(EXT4_IOC_SHUTDOWN without flushing its journal: what had not been synced is gone). It is mounted again,
which replays its journal, and read. Needs root and Linux:

    python benchmarks/power_cut.py [--cuts 12]

Only what was reported before the cut began counts: while the kernel shuts the file system down, a sync
may still return although its commit will never be written. A disk that lies about its cache is not
simulated.
"""

from __future__ import annotations

import argparse
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stm_daq.errors import StmDaqError
from stm_daq.records import Frame, RunStarted, Site, Spectrum
from stm_daq.store import schema
from stm_daq.store.journal import Journal
from stm_daq.store.reading import reader, whole_rows

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN = _IOR('X', 125, __u32), linux/fs/ext4/ext4.h."""
WITHOUT_FLUSH = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH."""
POINTS = 256
SIZE = "256M"


def trace(site: int) -> np.ndarray:
    """Return the values that belong to a site."""
    return np.random.default_rng(site).normal(size=POINTS)


def write(folder: Path, durable: bool) -> None:
    """Write spectra as fast as possible; print every site that was acknowledged.

    Without `durable` the journal does not wait for the disk: the control that shows that a cut hurts.
    """
    bias = np.linspace(4e-3, -4e-3, POINTS)
    axis = np.arange(1000.0)
    started = RunStarted("id", "run", 0.0, "cut", "", "", "", Frame(0, 0, 1, 1), (1000, 1000), axis,
                         axis, (0, 0), bias, 0.0)  # fmt: skip
    journal = Journal.create(folder, started)
    if not durable:
        journal._connection.execute("PRAGMA synchronous=OFF")
    for site in range(1_000_000):
        place = Site(site, *divmod(site, 1000), 0.0, 0.0)
        data = trace(site)
        journal.write(Spectrum(place, 0, site, 1.0, bias, data, -data, 0.0, 0.0, 0.5))
        os.write(1, b"%d\n" % site)


@contextmanager
def mounted(image: Path, point: Path) -> Iterator[None]:
    """Mount an image inside the block."""
    subprocess.run(["mount", "-o", "loop", image, point], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", point], check=True, capture_output=True)


def cut(point: Path) -> None:
    """Shut the file system down: nothing reaches its disk any more."""
    import fcntl

    handle = os.open(point, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
    finally:
        os.close(handle)


def trial(folder: Path, seconds: float, durable: bool) -> tuple[int, int, str]:
    """Write for some seconds, cut, look; return the spectra acknowledged, those lost, the trouble."""
    image, point = folder / "disk.img", folder / "mount"
    image.unlink(missing_ok=True)
    point.mkdir(exist_ok=True)
    subprocess.run(["truncate", "-s", SIZE, image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with mounted(image, point):
        line = [sys.executable, __file__, "--write", str(point / "run")]
        line += [] if durable else ["--careless"]
        writer = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert writer.stdout is not None
        told = [writer.stdout.readline()]
        os.set_blocking(writer.stdout.fileno(), False)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            told.append(writer.stdout.read() or b"")  # else the pipe would fill up
            time.sleep(0.001)
        told.append(writer.stdout.read() or b"")
        cut(point)
        writer.stdout.close()
        writer.wait()
    said = {int(site) for site in b"".join(told).split()}
    with mounted(image, point):
        try:
            with reader(point / "run") as connection:
                whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                found = [schema.spectrum_of(row) for row in whole_rows(connection, "spectrum")]
        except StmDaqError as error:
            return len(said), len(said), str(error)
    good = {s.site.index for s in found if np.array_equal(s.current, trace(s.site.index))}
    return len(said), len(said - good), "" if whole else "damaged"


def main() -> int:
    """Print the table; return 1 if anything was lost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=12)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--careless", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        write(options.write, not options.careless)
        return 0
    if sys.platform != "linux" or os.geteuid() != 0:
        print("needs root on Linux, to mount a file system and shut it down: nothing was tested")
        return 0
    print("| journal | power cuts | spectra acknowledged | of them lost | unreadable or damaged |")
    print("| --- | --- | --- | --- | --- |")
    hurt = show("as it is", options.cuts, durable=True)
    show("control: without sync", options.cuts, durable=False)
    return 1 if hurt else 0


def show(name: str, cuts: int, durable: bool) -> bool:
    """Print a row of the table; return whether anything was lost."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        results = [trial(Path(folder), chance.uniform(0.0, 3.0), durable) for _ in range(cuts)]
    said, lost = sum(r[0] for r in results), sum(r[1] for r in results)
    troubles = sum(bool(r[2]) for r in results)
    print(f"| {name} | {cuts} | {said} | {lost} | {troubles} |", flush=True)
    return bool(lost or troubles)


if __name__ == "__main__":
    sys.exit(main())
