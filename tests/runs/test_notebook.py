"""The example notebook of the documentation runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from stm_daq.records import Fit, Frame, RunEnded, RunStarted, Site, Spectrum, TopographRows
from stm_daq.store.journal import Journal

NOTEBOOK = Path(__file__).parents[2] / "docs" / "example_run.ipynb"
SIDE, POINTS = 6, 33


@pytest.fixture
def workplace(tmp_path):
    """A folder with a small finished run in it."""
    bias, metres = np.linspace(-4e-3, 4e-3, POINTS), 1e-9 * (np.arange(SIDE) + 0.5)
    started = RunStarted(
        "example", "run", 1.764e9, "example", "TiN", "plan: 1\n", "instruments: {}\n",
        Frame(0.0, 0.0, 6e-9, 6e-9), (SIDE, SIDE), metres, metres, (SIDE, SIDE), bias, 1.4e-4,
    )  # fmt: skip
    with Journal.create(tmp_path / "runs" / "2025-11-24_example", started) as journal:
        journal.write(TopographRows(1.764e9, 0, 1e-10 * np.add.outer(metres, metres)))
        for index in range(SIDE**2):
            row, col = divmod(index, SIDE)
            gap = 5e-4 + 1e-5 * index
            conductance = 1e-8 * (1 - 0.9 * np.exp(-((bias / gap) ** 2)))
            site = Site(index, row, col, metres[col], metres[row])
            journal.write(
                Spectrum(site, 0, 1.764e9, 2.5, bias, 1e-8 * bias, conductance, 0.0, 1e-10, 0.5)
            )
            values = {"gap": gap, "temperature": 0.5, "barrier": 3.0, "scale": 1e-8}
            std = {name: 0.01 * value for name, value in values.items()}
            journal.write(Fit(index, 0, "btk", values, std, 1.0, ok=True))
        journal.write(RunEnded(1.764e9 + 100, "finished"))
    return tmp_path


def test_the_example_notebook_runs(workplace):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(workplace)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = "".join(output.get("text", "") for output in outputs)
    assert "gap 0.675 ± 0.104 meV over 36 sites" in texts
    kinds = [set(output.get("data", {})) for output in outputs]
    assert sum("image/png" in kind for kind in kinds) == 4
    assert sum("text/html" in kind for kind in kinds) == 3


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
