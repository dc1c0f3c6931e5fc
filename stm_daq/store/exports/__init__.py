"""Write a run in the formats that others read; every export comes from the journal alone."""

from __future__ import annotations

from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.export import FORMATS, Format, export_all, export_run

__all__ = ["FORMATS", "Choice", "Format", "export_all", "export_run"]
