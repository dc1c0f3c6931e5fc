"""Sense of station.yaml: roles, limits and twin must fit the instruments and one another."""

from __future__ import annotations

import ipaddress
from difflib import get_close_matches
from typing import Any

from stm_daq.quantities import show
from stm_daq.station.schema import LimitsBlock, RoleBlock, RolesBlock
from stm_daq.yaml_model import ModelReader, nearest

UNITS = {
    "bias": "V",
    "setpoint_current": "A",
    "x": "m",
    "y": "m",
    "z": "m",
    "microwave_power": "dBm",
    "temperature": "K",
}
NEEDED = {
    "microwave": ("microwave_power", "there is a microwave"),
    "temperature_control": ("temperature", "there is a temperature control"),
}
"""Limits that a role needs, and why."""


def check_roles(reader: ModelReader) -> None:
    """Check that every role names an instrument of the station."""
    instruments = list(_block(reader.source.data, "instruments"))
    for role, keys in _block(reader.source.data, "roles").items():
        if role not in RolesBlock.model_fields or not isinstance(keys, dict):
            continue  # already reported
        where = ("roles", role)
        absent = [key for key in RoleBlock.model_fields if key not in keys]
        ours = {key: value for key, value in keys.items() if _is_ours(key, absent)}
        reader.block(RoleBlock, ours, where)
        name = reader.values.get((*where, "instrument"))
        if name is not None and name not in instruments:
            text = f"there is no instrument '{name}'{nearest(name, instruments)}"
            reader.at_value((*where, "instrument"), text)


def _is_ours(key: str, absent: list[str]) -> bool:
    """Tell a key of ours (or what seems meant as an absent one) from an option of the adapter."""
    return key in RoleBlock.model_fields or bool(get_close_matches(key, absent, n=1))


def check_limits(reader: ModelReader) -> None:
    """Check that every range is one, and that the bias limits fit together."""
    for name in LimitsBlock.model_fields:
        low, high = (reader.values.get(("limits", name, end)) for end in ("min", "max"))
        if low is not None and high is not None and not low < high:
            low_text, high_text = show(low, UNITS[name]), show(high, UNITS[name])
            text = f"min ({low_text}) must be less than max ({high_text})"
            reader.at_value(("limits", name, "min"), text)
        elif name == "bias" and low is not None and high is not None:
            _check_bias(reader, low, high)
    roles, limits = (_block(reader.source.data, name) for name in ("roles", "limits"))
    for role, (limit, reason) in NEEDED.items():
        if role in roles and limits and limit not in limits:
            reader.at_key(("limits", limit), f"this key is missing ({reason})")


def _check_bias(reader: ModelReader, low: float, high: float) -> None:
    if not low <= 0 <= high:
        text = "0 V must lie between min and max: a source wakes up there"
        reader.at_value(("limits", "bias", "min"), text)
    step = reader.values.get(("limits", "bias", "step"))
    if step is not None and step > high - low:
        text = (
            f"a step of {show(step, 'V')} is wider than the whole range of {show(high - low, 'V')}"
        )
        reader.at_value(("limits", "bias", "step"), text)


def check_simulation(reader: ModelReader) -> None:
    """Check that the twin's devices stand for instruments of the station."""
    instruments = list(_block(reader.source.data, "instruments"))
    simulation = _block(reader.source.data, "simulation")
    for name in _block(simulation, "devices"):
        if name not in instruments:
            text = f"there is no instrument '{name}'{nearest(name, instruments)}"
            reader.at_key(("simulation", "devices", name), text)


def check_watchdog(reader: ModelReader) -> None:
    """Check that the watchdog's places belong to instruments of the station."""
    instruments = list(_block(reader.source.data, "instruments"))
    for name in _block(reader.source.data, "watchdog"):
        if name not in instruments:
            text = f"there is no instrument '{name}'{nearest(name, instruments)}"
            reader.at_key(("watchdog", name), text)


def check_monitor(reader: ModelReader) -> None:
    """Check that others than this computer need keys."""
    listen = reader.values.get(("monitor", "listen"))
    if listen is None:
        return
    try:
        loopback = ipaddress.ip_address(listen).is_loopback
    except ValueError:
        reader.at_value(
            ("monitor", "listen"),
            f"'{listen}' is no address: write 127.0.0.1 for this computer only, 0.0.0.0 for every "
            "network, or the address of one network card",
        )
        return
    if not loopback and ("monitor", "keys") not in reader.values:
        text = "beyond this computer (127.0.0.1) only with keys: name their folder, `keys: keys`"
        reader.at_value(("monitor", "listen"), text)


def _block(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a block of the file, empty if it is absent or was reported as something else."""
    block = data.get(name)
    return block if isinstance(block, dict) else {}
