"""Put a figure into a page, and a page onto the disk."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL = 500_000
"""An SVG of fewer bytes is taken as it is: it prints best."""
DPI = 200


def data_uri(figure: Figure) -> str:
    """Return a figure as a ``data:`` URI: SVG, or PNG where that is smaller by far."""
    svg = _rendered(figure, "svg")
    if len(svg) <= SMALL:
        return _uri("image/svg+xml", svg)
    png = _rendered(figure, "png")
    return _uri("image/png", png) if len(png) < len(svg) else _uri("image/svg+xml", svg)


def _rendered(figure: Figure, form: str) -> bytes:
    from matplotlib import rc_context

    buffer = BytesIO()
    # the same figure gives the same bytes: no date, no random identifiers
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "stm-daq", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=form, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def write_atomically(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either the old content or all of the new one.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
