"""Limits of single parameters: station.yaml may narrow what a driver allows, never widen it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from stm_daq.errors import Problem
from stm_daq.station.instruments import NarrowedLimit
from stm_daq.yaml_source import YamlSource

if TYPE_CHECKING:
    from qcodes.instrument import Instrument
    from qcodes.parameters import ParameterBase


def narrow(
    instrument: Instrument, limits: Iterable[NarrowedLimit], source: YamlSource
) -> list[Problem]:
    """Add limits to the parameters of an instrument.

    QCoDeS would replace the driver's own validator; here both must agree to every value.

    Returns
    -------
    list of Problem
        The limits that reach beyond what the driver allows; the others are set.
    """
    from qcodes.validators import Numbers

    problems: list[Problem] = []
    for limit in limits:
        for parameter in parameters_at(instrument, limit.parameter):
            refusal = _refusal(parameter, limit)
            if refusal:
                problems.append(source.at_value(limit.where, refusal))
            else:
                parameter.add_validator(Numbers(limit.low, limit.high))
    return problems


def _refusal(parameter: ParameterBase, limit: NarrowedLimit) -> str:
    for validator in parameter.validators:
        for value in (limit.low, limit.high):
            try:
                validator.validate(int(value) if value.is_integer() else value)
            except (TypeError, ValueError):
                return (
                    f"the limits of {limit.parameter} reach beyond what the driver allows "
                    f"({validator!r}); limits can only be narrowed"
                )
    return ""


def parameters_at(instrument: Any, path: str) -> Iterator[ParameterBase]:
    """Yield the parameters at a path; ``channels.v`` means that of every channel."""
    from qcodes.instrument import ChannelTuple

    places = [instrument]
    for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
        found = [getattr(place, name) for place in places]
        if index:
            found = [channels[int(index)] for channels in found]
        places = [p for f in found for p in (f if isinstance(f, ChannelTuple) else [f])]
    yield from places
