"""Which code fitted."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def code_version() -> str:
    """The version that a refit is stored with: the release, and a digest of the code of the fits."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("physics", "fitting"):
        for file in sorted((package / folder).glob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba"))
    return f"stm-daq {version('stm-daq')} (code {digest.hexdigest()[:12]}; {libraries})"
