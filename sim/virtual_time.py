"""Virtual time for drivers that others wrote.

Drivers sleep and read the clock through the ``time`` module. While a twin runs, that module, and
the functions taken from it, are replaced inside the driver packages by ones that use the twin's
clock; everywhere else (threads, sockets, tests) time stays real.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from stm_daq.clock import VirtualClock

DRIVERS = ("qcodes.", "qcodes_contrib_drivers.", "pymeasure.", "drivers.")
"""Packages whose time becomes virtual."""
NOT_DRIVERS = ("qcodes.dataset", "qcodes.logger")
"""Parts of them that have nothing to do with instruments."""


class _TimeModule:
    """Stands for the ``time`` module inside a driver."""

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def _virtual_functions(clock: VirtualClock) -> dict[str, Callable[..., Any]]:
    return {
        "sleep": clock.sleep,
        "time": clock.wall,
        "monotonic": clock.now,
        "perf_counter": clock.now,
        "time_ns": lambda: int(clock.wall() * 1e9),
        "monotonic_ns": lambda: int(clock.now() * 1e9),
        "perf_counter_ns": lambda: int(clock.now() * 1e9),
    }


class VirtualTime:
    """Replaces the time of driver modules and puts it back.

    Parameters
    ----------
    clock : VirtualClock
    """

    def __init__(self, clock: VirtualClock) -> None:
        functions = _virtual_functions(clock)
        self._stand_ins: dict[int, tuple[Any, Any]] = {id(time): (time, _TimeModule(functions))}
        for name, virtual in functions.items():
            real = getattr(time, name)
            self._stand_ins[id(real)] = (real, virtual)
        self._replaced: list[tuple[ModuleType, str, Any, Any]] = []
        self._seen: set[str] = set()

    def refresh(self) -> None:
        """Replace the time of all driver modules loaded so far; cheap when there is nothing new."""
        new = [name for name in list(sys.modules) if name not in self._seen]
        self._seen.update(new)
        for name in new:
            module = sys.modules.get(name)
            if isinstance(module, ModuleType) and is_driver(name):
                self._replace_in(module)

    def restore(self) -> None:
        """Put the real time back everywhere.

        A name that somebody else has changed meanwhile is left alone.
        """
        while self._replaced:
            module, name, real, virtual = self._replaced.pop()
            if vars(module).get(name) is virtual:
                setattr(module, name, real)
        self._seen.clear()

    def _replace_in(self, module: ModuleType) -> None:
        for name, value in list(vars(module).items()):
            real, virtual = self._stand_ins.get(id(value), (None, None))
            if virtual is not None and value is real:
                setattr(module, name, virtual)
                self._replaced.append((module, name, real, virtual))


def is_driver(module: str) -> bool:
    """Return whether the module of this name belongs to a driver package."""
    return module.startswith(DRIVERS) and not module.startswith(NOT_DRIVERS)
