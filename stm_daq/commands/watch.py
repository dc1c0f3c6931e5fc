"""``stm-daq watch``."""

from __future__ import annotations

from pathlib import Path


def watch_run(address: str, stay: bool, key: Path | None = None) -> None:
    """Follow a run in the terminal until it ends (or for ever with `stay`)."""
    from stm_daq.monitor.watch import watch

    watch(address, stay=stay, key=key)
