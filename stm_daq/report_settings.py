"""The form of ``report:`` in a plan: which recipe, and what the run itself cannot know of the sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from stm_daq.errors import BadInputError
from stm_daq.yaml_model import Block, ModelReader, Text, quantity
from stm_daq.yaml_source import parse_yaml

if TYPE_CHECKING:
    import xarray as xr

Kelvin = Annotated[float, quantity("K"), Field(gt=0)]
Ohms = Annotated[float, quantity("ohm"), Field(gt=0)]
Metres = Annotated[float, quantity("m"), Field(gt=0)]
Volts = Annotated[float, quantity("V"), Field(gt=0)]
ElectronVolts = Annotated[float, quantity("eV"), Field(gt=0)]
Diffusion = Annotated[float, quantity("m**2/s"), Field(gt=0)]
Vertex = tuple[Annotated[float, quantity("m")], Annotated[float, quantity("m")]]


class MicrowaveBlock(Block):
    """What turns powers of a microwave source into drives of the model of a hot spot."""

    material: Literal["InOx", "NbN"]
    """Of the film: its numbers are those of Table I of Karki, Whitney, Basko."""
    distance: Metres
    """Of tip and film, or the tip's radius if that is larger (z0)."""
    transfer: Ohms | None = None
    """Power at the tip over the square of its rms current; with `loss` it gives drives."""
    loss: tuple[Annotated[float, quantity("dB")], ...] | None = None
    """Of the line, at every frequency of the sweep in its order."""
    loss_std: Annotated[float, quantity("dB"), Field(gt=0)] = 0.1


class ReportBlock(Block):
    """What a report has to know beyond the run; what is not given is not used."""

    recipe: Literal[
        "auto", "none", "tin", "nbn-line", "nbn-map", "contact", "bistability", "general"
    ] = "auto"
    critical_temperature: Kelvin | None = None
    sheet_resistance: Ohms | None = None
    thickness: Metres | None = None
    regions: dict[Text, Annotated[tuple[Vertex, ...], Field(min_length=3)]] | None = None
    """Polygons by name, in the coordinates of the sites."""
    line_cut: tuple[Vertex, Vertex] | None = None
    """Ends of the line along which spectra are shown, in the coordinates of the sites."""
    exponent_window: tuple[Volts, Volts] | None = None
    """Where the exponent of dI/dV is fitted, on each side of zero bias."""
    microwave: MicrowaveBlock | None = None
    background_window: tuple[Volts, Volts] | None = None
    """Where the linear background of the spectra of a line is fitted, on each side of zero bias."""
    plasma_energy: ElectronVolts | None = None
    """Of the film, with `diffusion` and `debye_temperature` for the theory of its disorder."""
    diffusion: Diffusion | None = None
    debye_temperature: Kelvin | None = None


def settings_of(dataset: xr.Dataset) -> ReportBlock:
    """Return the ``report:`` block of the plan of a run; the defaults if there is none.

    Raises
    ------
    BadInputError
        If the block is not as it should be.
    """
    text = str(dataset.attrs.get("plan_text", ""))
    if not text:
        return ReportBlock()
    reader = ModelReader(parse_yaml(text, Path("plan.yaml")))
    report = reader.source.data.get("report")
    if report is None:
        return ReportBlock()
    reader.block(ReportBlock, report, ("report",))
    if reader.problems:
        raise BadInputError.from_problems(reader.problems)
    return ReportBlock.model_validate(report)
