"""What a NeXus file says besides the data: run, sample, instrument and sweep (NXsts, NXspm)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.store.exports.source import RunSource

if TYPE_CHECKING:
    import h5py

_ADDRESS = "https://manual.nexusformat.org/classes/contributed_definitions/NXsts.html"


def group_of(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """Return a group, made if needed."""
    group = parent.require_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def fill_entry(entry: h5py.Group, source: RunSource) -> None:
    """Write all fields of the definition that a journal knows."""
    started = source.started
    about = source.attributes
    _put(entry, "definition", "NXsts")
    entry["definition"].attrs["version"] = "2026.01"
    entry["definition"].attrs["URL"] = _ADDRESS
    _put(entry, "experiment_technique", "STS")
    _put(entry, "scan_mode", "constant current")
    _put(entry, "title", started.name)
    _put(entry, "identifier_experiment", started.run_id)
    _put(entry, "start_time", about["started"])
    if source.ended:
        _put(entry, "end_time", about["ended"])
    process = group_of(entry, "process", "NXprocess")
    _put(process, "program", "stm_daq")
    process["program"].attrs["version"] = _version(source)
    process["program"].attrs["program_url"] = "urn:stm_daq"
    _put(group_of(entry, "user", "NXuser"), "name", "unknown")
    _put(group_of(entry, "sample", "NXsample"), "name", started.sample or "unknown")
    run = group_of(entry, "run", "NXcollection")
    for name, value in about.items():
        _put(run, name, value)
    instrument = group_of(entry, "instrument", "NXinstrument")
    for name in ("hardware", "software"):
        _put(group_of(instrument, name, "NXfabrication"), "vendor", _vendor(source, name))
    lock_in = group_of(instrument, "lockin_amplifier", "NXlockin")
    _put(lock_in, "reference_amplitude", started.modulation, "V")
    _scan(group_of(instrument, "scan_environment", "NXenvironment"), source)
    _sweep(group_of(instrument, "bias_spectroscopy_environment", "NXenvironment"), source)


def _scan(environment: h5py.Group, source: RunSource) -> None:
    """Where the sites are."""
    started, frame = source.started, source.started.frame
    control = group_of(environment, "scan_control", "NXspm_scan_control")
    _put(control, "scan_type", "mesh")
    region = group_of(control, "scan_region", "NXspm_scan_region")
    for axis, size, centre in (
        ("x", frame.width, frame.centre_x),
        ("y", frame.height, frame.centre_y),
    ):
        _put(region, f"scan_range_{axis}", size, "m")
        _put(region, f"scan_offset_value_{axis}", centre, "m")
        _put(region, f"scan_angle_{axis}", frame.angle, "degree")
    pattern = group_of(control, "mesh_scan", "NXspm_scan_pattern")
    rows, columns = started.grid_shape
    for axis, count, places in (("x", columns, started.grid_x), ("y", rows, started.grid_y)):
        _put(pattern, f"scan_points_{axis}", count)
        if count > 1:
            _put(pattern, f"step_size_{axis}", float(np.ptp(places)) / (count - 1), "m")


def _sweep(environment: h5py.Group, source: RunSource) -> None:
    """How the bias was swept; constant where something else was."""
    started = source.started
    spectroscopy = group_of(environment, "bias_spectroscopy", "NXspm_bias_spectroscopy")
    _put(spectroscopy, "measurement_type", "constant_spacing")
    positioner = group_of(spectroscopy, "spm_positioner", "NXspm_positioner")
    controller = group_of(positioner, "z_controller", "NXpid_controller")
    bias, current = source.setpoint
    _put(controller, "setpoint", current, "A")
    sweep = group_of(spectroscopy, "bias_sweep", "NXspm_scan_control")
    _put(sweep, "scan_type", "linear")
    volts = started.bias[: len(source.sweep)]
    region = group_of(sweep, "scan_region", "NXspm_scan_region")
    first, last = (float(volts[0]), float(volts[-1])) if len(volts) else (np.nan, np.nan)
    _put(region, "scan_offset_bias", bias, "V")
    _put(region, "scan_range_bias", last - first, "V")
    _put(region, "scan_start_bias", first, "V")
    _put(region, "scan_end_bias", last, "V")
    linear = group_of(sweep, "linear_sweep", "NXspm_scan_pattern")
    _put(linear, "backward_sweep", started.directions == 2)
    _put(linear, "scan_points_bias", len(volts))
    _put(linear, "step_size_bias", (last - first) / max(len(volts) - 1, 1), "V")
    _put(linear, "reset_bias", True)


def _version(source: RunSource) -> str:
    """Version of the program that measured."""
    return str(source.started.metadata.get("versions", {}).get("stm-daq", "unknown"))


def _vendor(source: RunSource, what: str) -> str:
    if what == "software":
        return "stm_daq"
    return "physics twin of stm_daq" if source.started.kind == "rehearsal" else "unknown"


def _put(group: h5py.Group, name: str, value: Any, unit: str = "") -> None:
    group[name] = value
    if unit:
        group[name].attrs["units"] = unit
