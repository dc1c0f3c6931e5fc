"""The journal: what was acknowledged is there, whatever happens to process or file."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import threading
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from stm_daq import open_run
from stm_daq.errors import BadInputError, JournalError
from stm_daq.records import Event, Progress, RunEnded
from stm_daq.store import schema
from stm_daq.store.journal import Journal, new_run_folder
from stm_daq.store.reading import ended_of, events, reader, started_of, whole_rows

WRITER = """
import json, sys
from pathlib import Path
import numpy as np
from stm_daq.records import *
from stm_daq.store.journal import Journal
bias = np.linspace(4e-3, -4e-3, 64)
started = RunStarted("id", "run", 0.0, "kill me", "", "", "", Frame(0, 0, 1, 1), (100, 100),
    np.arange(100.0), np.arange(100.0), (0, 0), bias, 0.0)
journal = Journal.create(Path(sys.argv[1]), started)
for i in range(10_000):
    row, col = divmod(i, 100)
    trace = np.random.default_rng(i).normal(size=64)
    journal.write(Spectrum(Site(i, row, col, 0.0, 0.0), 0, i, 1.0, bias, trace, -trace, 0.0, 0.0, 0.5))
    print(i, flush=True)
"""


def same(a, b) -> bool:
    """Say whether two records are equal, NaN and arrays included."""
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, np.ndarray | float):
            if not np.array_equal(x, y, equal_nan=True):
                return False
        elif x != y:
            return False
    return type(a) is type(b)


def test_every_record_comes_back_as_it_was_written(tmp_path, run):
    spectrum = run.spectrum(5, 1, temperature=float("nan"), flags=("overload", "unlock"))
    fit = run.fit(5, 1, ok=False, flags=("gap_at_limit",), reduced_chi_square=float("nan"))
    fit.values["barrier"] = float("inf")
    rows = run.topograph(2, 3)
    note = Event(7.0, "note", "hélium", {"level": 0.3, "nested": [1, None]})
    with Journal.create(tmp_path, run.started()) as journal:
        for record in (rows, spectrum, fit, run.truth(5, 1), note, RunEnded(9.0, "stopped", "why")):
            journal.write(record)
    with reader(tmp_path) as connection:
        assert same(started_of(connection), run.started())
        assert same(ended_of(connection), RunEnded(9.0, "stopped", "why"))

        def read(table, of):
            return [of(row) for row in whole_rows(connection, table)]

        assert same(read("topograph", schema.topograph_of)[0], rows)
        assert same(read("spectrum", schema.spectrum_of)[0], spectrum)
        assert same(read("fit", schema.fit_of)[0], fit)
        assert same(read("truth", schema.truth_of)[0], run.truth(5, 1))
    assert events(tmp_path) == [note]


def test_numpy_scalars_are_stored_as_numbers(tmp_path, run):
    spectrum = run.spectrum(0, temperature=np.float32(0.5), attempt=np.int64(0))
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(spectrum)
    with reader(tmp_path) as connection:
        kinds = "SELECT typeof(attempt), typeof(temperature) FROM spectrum"
        assert connection.execute(kinds).fetchone() == ("integer", "real")


def test_settings_that_make_it_durable(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        pragma = journal._connection.execute
        assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
        assert pragma("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert pragma("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
        assert pragma("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    acknowledged = -1
    for line in itertools.islice(process.stdout, 150):
        acknowledged = int(line)
    process.kill()
    acknowledged = max(
        [acknowledged, *(int(line) for line in process.stdout if line.endswith("\n"))]
    )
    process.wait()
    with reader(tmp_path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = {
            s.site.index: s for s in map(schema.spectrum_of, whole_rows(connection, "spectrum"))
        }
    assert set(range(acknowledged + 1)) <= set(found)
    assert len(found) <= acknowledged + 2  # at most one more was under way
    for index, spectrum in found.items():
        trace = np.random.default_rng(index).normal(size=64)
        np.testing.assert_array_equal(spectrum.current, trace)
        np.testing.assert_array_equal(spectrum.conductance, -trace)


CHANGER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
connection.execute("PRAGMA cache_size=1")
connection.execute("PRAGMA cache_spill=1")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE spectrum SET z = 1.0")
print("changed", flush=True)
time.sleep(60)
"""


def test_a_journal_whose_closing_was_cut_off_can_be_read(tmp_path, run):
    """Killed while SQLite brings all into one file, it leaves a file that must be rolled back."""
    with Journal.create(tmp_path, run.started()) as journal:
        for index in range(20):
            journal.write(run.spectrum(index, z=0.0))
    path = tmp_path / schema.FILE_NAME
    process = subprocess.Popen(
        [sys.executable, "-c", CHANGER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "changed\n"
    process.kill()
    process.wait()
    assert (tmp_path / (schema.FILE_NAME + "-journal")).exists()
    with reader(tmp_path) as connection:
        found = [schema.spectrum_of(row) for row in whole_rows(connection, "spectrum")]
    assert [spectrum.z for spectrum in found] == [0.0] * 20


def copied_while_open(tmp_path, run, spectra):
    """Return a folder with the files as a crash would leave them, and the bytes of the log."""
    folder, copy = tmp_path / "run", tmp_path / "copy"
    copy.mkdir()
    journal = Journal.create(folder, run.started())
    for index in range(spectra):
        journal.write(run.spectrum(index))
    for name in ("journal.db", "journal.db-wal"):
        (copy / name).write_bytes((folder / name).read_bytes())
    journal.close()
    return copy, (copy / "journal.db-wal").read_bytes()


def test_a_torn_tail_of_the_log_costs_only_what_was_torn(tmp_path, run):
    copy, log = copied_while_open(tmp_path, run, 3)
    with Journal.create(tmp_path / "other", run.started()) as journal:
        for index in range(2):
            journal.write(run.spectrum(index))
        before = (tmp_path / "other" / "journal.db-wal").stat().st_size
    for length in np.linspace(before, len(log) - 1, 7).astype(int):
        (copy / "journal.db-wal").write_bytes(log[:length])
        (copy / "journal.db-shm").unlink(missing_ok=True)
        done = np.isfinite(open_run(copy)["conductance"].values).all(axis=2)
        assert done.sum() == 2


def test_a_file_that_lacks_its_end_is_reported(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        for index in range(12):
            journal.write(run.spectrum(index))
    file = tmp_path / "journal.db"
    file.write_bytes(file.read_bytes()[:-4096])
    with pytest.raises(JournalError, match=r"journal\.db.*damaged.*recover"):
        open_run(tmp_path)


def test_after_close_there_is_one_file(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0))
    journal.close()  # once more does no harm
    open_run(tmp_path)  # leaves nothing behind
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]


def test_closing_while_somebody_reads_loses_nothing(tmp_path, run):
    journal = Journal.create(tmp_path, run.started())
    with reader(tmp_path) as connection:
        connection.execute("SELECT * FROM run").fetchone()
        journal.write(run.spectrum(0))
        journal.close()
    assert np.isfinite(open_run(tmp_path)["z"].values).sum() == 1


def test_a_journal_is_never_overwritten(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0))
    with pytest.raises(JournalError, match="exists already"):
        Journal.create(tmp_path, run.started())
    assert np.isfinite(open_run(tmp_path)["z"].values).sum() == 1


def test_attempts_are_kept_beside_each_other(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(3))
        journal.write(run.spectrum(3, attempt=1))
        with pytest.raises(JournalError, match="stored already"):
            journal.write(run.spectrum(3, attempt=1))
    with reader(tmp_path) as connection:
        stored = [(row[0], row[1]) for row in whole_rows(connection, "spectrum")]
    assert stored == [(3, 0), (3, 1)]


def test_several_records_are_stored_together_or_not_at_all(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0), run.fit(0))
        with pytest.raises(JournalError):
            journal.write(run.spectrum(1), run.spectrum(0))
        journal.write(run.spectrum(2))
    with reader(tmp_path) as connection:
        assert [row[0] for row in whole_rows(connection, "spectrum")] == [0, 2]
        assert len(list(whole_rows(connection, "fit"))) == 1


def test_progress_is_not_stored(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        before = journal._connection.total_changes
        journal.write(Progress(0.0, 1, 12, 1.0, 1.0, "running"))
        assert journal._connection.total_changes == before


def test_what_is_no_json_is_refused_by_name(tmp_path, run):
    with (
        Journal.create(tmp_path, run.started()) as journal,
        pytest.raises(JournalError, match=r"event 'odd'.*plain JSON"),
    ):
        journal.write(Event(0.0, "note", "odd", {"array": np.zeros(3)}))


def test_a_full_disk_is_reported_and_leaves_what_was_stored(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0))
        journal._connection.execute("PRAGMA max_page_count=1")  # as if the disk ended there
        many = [run.spectrum(1, attempt) for attempt in range(100)]
        with pytest.raises(JournalError, match="disk is full: free some space"):
            journal.write(*many)
        journal._connection.execute("PRAGMA max_page_count=1000")
        journal.write(run.spectrum(2))  # somebody freed some space
    assert np.isfinite(open_run(tmp_path)["z"].values).sum() == 2


@pytest.mark.skipif(
    os.name != "posix" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="the administrator may write everywhere",
)
def test_a_read_only_folder_is_reported(tmp_path, run):
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match=r"cannot create.*can be written"):
        Journal.create(tmp_path / "run", run.started())


def test_a_file_in_place_of_the_folder_is_reported(tmp_path, run):
    (tmp_path / "runs").write_text("")
    with pytest.raises(JournalError, match="runs"):
        new_run_folder(tmp_path / "runs", "x", 0.0)
    with pytest.raises(JournalError, match="cannot create"):
        Journal.create(tmp_path / "runs", run.started())


def test_run_folders_are_named_and_unique(tmp_path):
    names = [new_run_folder(tmp_path / "runs", "TiN demo map!", 1.764e9).name for _ in range(3)]
    assert names[0].endswith("_tin-demo-map")
    assert len(names[0]) == len("2025-11-24_160000_tin-demo-map")
    assert names[1:] == [f"{names[0]}-2", f"{names[0]}-3"]
    assert new_run_folder(tmp_path, "µ/..", 0.0).parent == tmp_path


def test_a_reader_looks_on_while_the_run_writes(tmp_path, run):
    problems = []
    stop = threading.Event()

    def look():
        while not stop.is_set():
            counts = open_run(tmp_path).load()["flags"].shape
            if counts != (3, 4):
                problems.append(counts)

    with Journal.create(tmp_path, run.started()) as journal:
        thread = threading.Thread(target=look)
        thread.start()
        try:
            for attempt in range(40):
                journal.write(run.spectrum(0, attempt))
        finally:
            stop.set()
            thread.join()
    assert not problems


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"\x89HDF\r\n\x1a\n" * 20])
def test_foreign_files_are_refused(tmp_path, content):
    file = tmp_path / "journal.db"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match="not a run journal"):
        open_run(file)


def test_a_foreign_database_and_a_newer_one_are_refused(tmp_path, run):
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE runs (a)")
    connection.close()
    with pytest.raises(BadInputError, match="not a run journal of stm_daq"):
        open_run(foreign)
    with Journal.create(tmp_path, run.started()) as journal:
        journal._connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    with pytest.raises(JournalError, match="newer"):
        open_run(tmp_path)


def test_a_missing_run_is_reported(tmp_path):
    with pytest.raises(BadInputError, match=r"holds no journal\.db"):
        open_run(tmp_path)
    with pytest.raises(BadInputError, match="not found"):
        open_run(Path("nowhere"))


def test_every_damaged_byte_is_seen(tmp_path, run):
    """Whatever byte is damaged: the right data, a warning, or one clear error."""
    folder = tmp_path / "run"
    with Journal.create(folder, run.started()) as journal:
        for index in range(2):
            journal.write(run.spectrum(index), run.fit(index), run.truth(index))
    whole = open_run(folder).load().drop_attrs()
    data = (folder / "journal.db").read_bytes()
    target = tmp_path / "journal.db"
    rng = np.random.default_rng(1)
    seen = 0
    used = np.flatnonzero(np.frombuffer(data, np.uint8))
    for position in rng.choice(used[used >= 100], 150):
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        target.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = open_run(target).load().drop_attrs()
            except JournalError:
                seen += 1
                continue
        seen += len(caught) > 0
        assert caught or found.identical(whole)
    assert seen > 75
