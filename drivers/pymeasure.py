"""Any PyMeasure instrument in station.yaml, as a QCoDeS instrument.

Every property of the PyMeasure class becomes a QCoDeS parameter with label, unit and limits, so that
station.yaml, the snapshot and the adapters treat it like any other. Values out of range are refused
here, before PyMeasure's validators (some of which clip) see them.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymeasure.instruments import Channel
from qcodes.instrument import Instrument, InstrumentBase, InstrumentChannel
from qcodes.validators import Enum, Numbers, Validator

from drivers.pymeasure_limits import UnknownLimitsError, limits_of, unit_in

OF_THE_BUS = ("adapter", "complete", "status", "options", "id", "next_error")
"""Properties of every PyMeasure instrument that are no quantities of this one."""


@dataclass(frozen=True, slots=True)
class Words:
    """What station.yaml says of the properties, by name (``ch_1.voltage`` for one of a channel)."""

    units: Mapping[str, str]
    limits: Mapping[str, Sequence[float]]


class PymeasureInstrument(Instrument):
    """A PyMeasure instrument.

    Properties that can be set but whose range neither PyMeasure nor `limits` tells can only be read.
    Methods of the PyMeasure class are reached by :attr:`device`.

    Parameters
    ----------
    name : str
    address : str
        VISA address; PyVISA opens it, so that on the twin it leads to the twin.
    driver : str
        Dotted path of the PyMeasure class, such as ``pymeasure.instruments.anapico.APSIN12G``.
    units : mapping of str to str, optional
        Unit of a property, where PyMeasure's documentation does not say it as "in <unit>".
    limits : mapping of str to (low, high), optional
        Range of a property; may narrow PyMeasure's, or tell one that it does not know.
    options : mapping, optional
        Further arguments of the PyMeasure class.
    timeout : float
        Longest wait for a reply, s.

    Raises
    ------
    ValueError
        If there is no such class or property, or limits are wider than PyMeasure's own.
    """

    def __init__(
        self,
        name: str,
        address: str,
        driver: str,
        units: Mapping[str, str] | None = None,
        limits: Mapping[str, Sequence[float]] | None = None,
        options: Mapping[str, Any] | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(name)
        settings = {**(options or {}), "timeout": int(timeout * 1e3)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # to PyMeasure's own developers
            self.device = _import(driver)(address, **settings)
        """The PyMeasure instrument."""
        words = Words(units or {}, limits or {})
        known = set(_reflect(self, self.device, words, ""))
        channels = {k: v for k, v in vars(self.device).items() if isinstance(v, Channel)}
        for channel_name, channel in channels.items():
            module = self.add_submodule(channel_name, InstrumentChannel(self, channel_name))
            known |= set(_reflect(module, channel, words, f"{channel_name}."))
        for given in (*words.units, *words.limits):
            if given not in known:
                raise ValueError(f"{driver} has no property '{given}'; there is {sorted(known)}")

    def ask_raw(self, cmd: str) -> str:
        """Ask a question in the instrument's own words."""
        return str(self.device.ask(cmd)).strip()

    def write_raw(self, cmd: str) -> None:
        """Send a command in the instrument's own words."""
        self.device.write(cmd)

    def device_clear(self) -> None:
        """Clear the interface, if there is a VISA one."""
        connection = getattr(self.device.adapter, "connection", None)
        if connection is not None and hasattr(connection, "clear"):
            connection.clear()

    def get_idn(self) -> dict[str, str | None]:
        """Return what the PyMeasure class calls itself; asks nothing."""
        kind = type(self.device)
        vendor = kind.__module__.split(".")[2] if kind.__module__.count(".") > 1 else None
        return {"vendor": vendor, "model": kind.__name__, "serial": None, "firmware": None}

    def close(self) -> None:
        """Disconnect; the instrument keeps doing what it does (PyMeasure's shutdown is not called)."""
        if hasattr(self, "device"):
            self.device.adapter.close()
        super().close()


def _import(driver: str) -> Any:
    module_name, _, class_name = driver.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot import the PyMeasure class '{driver}' ({error})") from error


def _reflect(target: InstrumentBase, source: Any, words: Words, prefix: str) -> Iterator[str]:
    """Add a parameter for every property of `source`; yield their names."""
    for name, found in inspect.getmembers(
        type(source), lambda member: isinstance(member, property)
    ):
        if name.startswith("_") or name in OF_THE_BUS or hasattr(target, name):
            continue
        readable, settable = _can(found.fget, "get_command"), _can(found.fset, "set_command")
        if not readable and not settable:
            continue
        full = prefix + name
        validator = _validator(found, source, name, words.limits.get(full)) if settable else None
        if not readable and validator is None:
            continue
        yield full
        target.add_parameter(
            name,
            label=name.replace("_", " ").capitalize(),
            unit=words.units.get(full, unit_in(found.__doc__ or "")),
            docstring=(found.__doc__ or "").strip(),
            get_cmd=(lambda name=name: getattr(source, name)) if readable else False,
            set_cmd=(lambda value, name=name: setattr(source, name, value))
            if validator is not None
            else False,
            vals=validator,
            snapshot_get=settable,  # settings belong into a snapshot; to measure takes time
        )


def _can(function: Any, command: str) -> bool:
    """Whether a property can be read (or set): PyMeasure makes both and then raises."""
    if function is None:
        return False
    parameter = inspect.signature(function).parameters.get(command)
    return parameter is None or parameter.default is not None


def _validator(
    found: property, source: Any, name: str, given: Sequence[float] | None
) -> Validator[Any] | None:
    """Return what may be set; None if nobody knows."""
    try:
        own = limits_of(found, source, name)
    except UnknownLimitsError:
        return Numbers(*given) if given is not None else None
    if given is None:
        return Enum(*own) if isinstance(own, frozenset) else Numbers(*own)
    low, high = (float(value) for value in given)
    if isinstance(own, frozenset):
        raise ValueError(f"{name}: there are fixed values ({sorted(own, key=str)}), no limits")
    if low < own[0] or high > own[1]:
        raise ValueError(
            f"{name}: limits {low:g} to {high:g} are wider than {own[0]:g} to {own[1]:g}"
        )
    return Numbers(low, high)
