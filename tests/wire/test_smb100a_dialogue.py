"""What the SMB100A driver says, word by word, against a pyvisa-sim dialogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qcodes.instrument import Instrument

from drivers.smb100a import Smb100a

DIALOGUE = """
spec: "1.1"
devices:
  smb:
    eom: {TCPIP INSTR: {q: "\\n", r: "\\n"}}
    error: ERROR
    dialogues:
      - {q: "*IDN?", r: "Rohde&Schwarz,SMB100A,1,1"}
      - {q: "SOUR:LIST:SEL 'stm_daq'"}
      - {q: "SOUR:LIST:FREQ 6000000000.00Hz,6000000000.00Hz,6000000000.00Hz"}
      - {q: "SOUR:LIST:POW -60.00dBm,-59.50dBm,-59.00dBm"}
      - {q: "SOUR:LIST:DWEL 20.0ms"}
      - {q: "SOUR:LIST:MODE AUTO"}
      - {q: "SOUR:LIST:TRIG:SOUR SING"}
      - {q: "SOUR:LIST:LEAR"}
      - {q: "SOUR:LIST:TRIG:EXEC"}
      - {q: "SOUR:LIST:POW:POIN?", r: "3"}
    properties:
      output: {getter: {q: ":OUTP:STAT?", r: "{}"}, setter: {q: ":OUTP:STAT {}"}, default: "0"}
      mode: {getter: {q: "SOUR:FREQ:MODE?", r: "{}"}, setter: {q: "SOUR:FREQ:MODE {}"}, default: CW}
resources:
  TCPIP0::localhost::inst0::INSTR: {device: smb}
"""


@pytest.fixture
def smb(tmp_path: Path) -> Iterator[Smb100a]:
    path = tmp_path / "smb.yaml"
    path.write_text(DIALOGUE, encoding="utf-8")
    yield Smb100a("smb", "TCPIP0::localhost::inst0::INSTR", visalib=f"{path}@sim")
    Instrument.close_all()


def test_a_list_is_loaded_and_started(smb: Smb100a) -> None:
    smb.load_list(6e9, np.array([-60.0, -59.5, -59.0]), 20e-3)
    smb.sourcemode("list")
    smb.start_list()
    assert smb.list_points() == 3
    assert smb.ask("SOUR:FREQ:MODE?") == "LIST"


def test_the_switches_of_the_contributed_driver_are_mended(smb: Smb100a) -> None:
    """There they accept only 0 and 1, which their own mapping then refuses."""
    smb.on()
    assert smb.status() is True
    smb.off()
    assert smb.ask(":OUTP:STAT?") == "0"
    with pytest.raises(ValueError, match="maybe"):
        smb.status("maybe")
