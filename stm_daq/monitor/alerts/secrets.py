"""Passwords: from a file that only its owner can read, or from the environment."""

from __future__ import annotations

import os
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.monitor.keys import require_private


def secret(file: str | None, variable: str | None, folder: Path) -> str:
    """Return the first line of a file, or an environment variable.

    Parameters
    ----------
    file : str or None
        ``~`` is the home folder; a relative path begins at `folder`.
    variable : str or None
        Read if there is no file.
    folder : Path

    Raises
    ------
    BadInputError
        If it is not there, is empty, or others can read the file.
    """
    if file is not None:
        return _from_file(folder / Path(file).expanduser())
    value = os.environ.get(variable or "", "")
    if not value:
        raise BadInputError(f"the environment variable {variable} is not set: it holds a secret")
    return value


def _from_file(path: Path) -> str:
    require_private(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: the secret cannot be read ({error})") from None
    if not lines or not lines[0].strip():
        raise BadInputError(f"{path}: the secret is empty; write it into the first line")
    return lines[0].strip()
