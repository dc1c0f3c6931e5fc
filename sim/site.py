"""What the tip finds at one place: the sample's junction, as this tip and these microwaves make it."""

from __future__ import annotations

from sim.apex import ApexState
from sim.contact import Contact
from sim.samples import (
    Junction,
    MicrowaveSample,
    RememberingSample,
    Sample,
    TunnelJunction,
    depends_on_distance,
)
from stm_daq.errors import BadInputError


def under_tip(sample: Sample, contact: Contact, x: float, y: float) -> Junction:
    """Return the junction at (x, y), m, on the sample.

    Raises
    ------
    BadInputError
        If the tip superconducts, and the sample does not know how that would look.
    """
    stage, power = contact.stage_temperature, contact.power
    if contact.film is not None and isinstance(sample, RememberingSample):
        found: Junction = sample.junction_in(contact.film, stage)
    elif power and isinstance(sample, MicrowaveSample):
        found = sample.heated_junction(x, y, stage, power)
    else:
        found = sample.junction(x, y, stage)
    if not contact.apex.gap:
        return found
    return tunnelling(found).seen_by(contact.apex.gap, contact.apex.broadening)


def tunnelling(junction: Junction) -> TunnelJunction:
    """Return the same junction if a superconducting tip can be put over it; errors as above."""
    if isinstance(junction, TunnelJunction):
        return junction
    raise BadInputError(
        "simulation: tip: flake: this sample does not know what a superconducting tip would see; "
        "leave `flake` out, or take one of sim.samples.tin, nbn_ald, microwave, uniform"
    )


def true_parameters(junction: Junction, conductance: float) -> dict[str, float]:
    """Return what a fit should find for a junction of this normal-state conductance, S."""
    values = dict(junction.truth)
    if depends_on_distance(junction):
        values |= junction.at(conductance).truth
    return values


def true_tip(apex: ApexState) -> dict[str, float]:
    """Return gap (eV) and length (m) of the tip."""
    return {"tip_gap": apex.gap, "tip_length": apex.length}
