"""Keys: who may watch a station, and who may command it.

A key pair is two files: ``NAME.key`` is secret and stays with its owner, ``NAME.pub`` is given away.
The folder of a station holds ``station.key`` and ``station.pub``, and what it has been given:
``viewers/NAME.pub`` and ``operators/NAME.pub``.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import zmq
from zmq.utils import z85

from stm_daq.errors import BadInputError

type Level = Literal["viewer", "operator"]
LEVELS: tuple[Level, ...] = ("viewer", "operator")
STATION = "station"
"""Name of the station's own keys."""
_LARGEST_FILE = 4096
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


class _File(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a key file holds, as JSON; keys in Z85 (40 characters)."""

    name: str
    public: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public and a secret key of CURVE."""

    name: str
    public: bytes
    """Z85, 40 characters."""
    secret: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A key that a station has been given."""

    name: str
    level: Level
    public: bytes


def new_keys(folder: Path, name: str) -> KeyPair:
    """Make a key pair and write ``NAME.key`` (mode 0600) and ``NAME.pub`` into `folder`.

    Raises
    ------
    BadInputError
        If there is such a key already, the name is none, or the folder cannot be written.
    """
    check_name(name)
    public, secret = zmq.curve_keypair()
    pair = KeyPair(name, public, secret)
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
        _write(folder / f"{name}.key", _File(name, public.decode(), secret.decode()), 0o600)
        _write(folder / f"{name}.pub", _File(name, public.decode()), 0o644)
    except FileExistsError as error:
        raise BadInputError(f"{error.filename} exists already: choose another name") from None
    except OSError as error:
        raise BadInputError(f"{folder}: no key can be written there ({error.strerror})") from None
    return pair


def read_secret(path: Path) -> KeyPair:
    """Read a secret key that nobody else can read.

    Raises
    ------
    BadInputError
        If it is no secret key, or (POSIX) others may read it. On Windows the permissions of the
        folder count, which this does not look at.
    """
    require_private(path)
    file = _read(path)
    if not file.secret:
        raise BadInputError(f"{path} is a public key: give the file that ends with .key")
    return KeyPair(file.name, _key(path, file.public), _key(path, file.secret))


def read_public(path: Path) -> tuple[str, bytes]:
    """Return the name and the key in a public key file.

    Raises
    ------
    BadInputError
        If it is none; also if it is a secret one, which should not travel.
    """
    file = _read(path)
    if file.secret:
        raise BadInputError(f"{path} is a secret key: give the file that ends with .pub")
    return file.name, _key(path, file.public)


def require_private(path: Path) -> None:
    """Refuse a secret file that others may read (not on Windows).

    Raises
    ------
    BadInputError
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror})") from None
    if os.name == "posix" and mode & 0o077:
        raise BadInputError(
            f"{path} is secret, but others may use it (mode {stat.S_IMODE(mode):04o}): "
            f"`chmod 600 {path}`, and make new keys if somebody could have read it"
        )


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read, from the first byte on.

    Raises
    ------
    OSError
        Also if it exists.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


class KeyRing:
    """The folder of a station's keys.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def station(self) -> KeyPair:
        """Return the station's own keys.

        Raises
        ------
        BadInputError
            If there are none, or others may read the secret one or put keys into the folder.
        """
        path = self.folder / f"{STATION}.key"
        if not path.is_file():
            raise BadInputError(
                f"{self.folder} holds no keys of the station: allow somebody first, "
                "`stm-daq keys allow viewer NAME.pub`"
            )
        for folder in (self.folder, *(self._of(level) for level in LEVELS)):
            if os.name == "posix" and folder.exists() and folder.stat().st_mode & 0o022:
                raise BadInputError(
                    f"{folder}: others may put keys there: `chmod go-w {folder}`, and look "
                    "with `stm-daq keys list` at what is in it"
                )
        return read_secret(path)

    def allow(self, level: Level, path: Path) -> Entry:
        """Take in the public key at `path`; make the station's own keys where there are none.

        Raises
        ------
        BadInputError
            If it is no public key, or the name or the key is taken already.
        """
        name, public = read_public(path)
        check_name(name)
        for entry in self.entries():
            if name == entry.name or public == entry.public:
                raise BadInputError(
                    f"{entry.name} is {_article(entry.level)} already: "
                    f"`stm-daq keys revoke {entry.name}` first"
                )
        if not (self.folder / f"{STATION}.key").exists():
            new_keys(self.folder, STATION)
        target = self._of(level)
        try:
            target.mkdir(mode=0o700, exist_ok=True)
            _write(target / f"{name}.pub", _File(name, public.decode()), 0o644)
        except OSError as error:
            raise BadInputError(f"{target} cannot be written ({error.strerror})") from None
        return Entry(name, level, public)

    def revoke(self, name: str) -> Entry:
        """Forget a key.

        Raises
        ------
        BadInputError
            If there is none of this name.
        """
        found = next((entry for entry in self.entries() if entry.name == name), None)
        if found is None:
            known = ", ".join(entry.name for entry in self.entries()) or "nobody"
            raise BadInputError(f"{self.folder} holds no key of {name} (known: {known})")
        (self._of(found.level) / f"{name}.pub").unlink()
        return found

    def entries(self) -> list[Entry]:
        """Return all keys that are allowed; files that are no keys are left out."""
        found = []
        for level in LEVELS:
            for path in sorted(self._of(level).glob("*.pub")):
                try:
                    _, public = read_public(path)
                except BadInputError:
                    continue
                found.append(Entry(path.stem, level, public))
        return found

    def who(self, public: bytes, levels: tuple[Level, ...]) -> str:
        """Return whose key it is; "" if it is not allowed at any of these levels."""
        allowed = (entry for entry in self.entries() if entry.level in levels)
        return next((entry.name for entry in allowed if entry.public == public), "")

    def _of(self, level: Level) -> Path:
        return self.folder / f"{level}s"


def check_name(name: str) -> None:
    """Refuse a name that is none; it becomes the name of a file.

    Raises
    ------
    BadInputError
    """
    if not _NAME.fullmatch(name):
        raise BadInputError(f"'{name}' is no name for a key: use letters, digits, _ . @ -")


def _article(level: Level) -> str:
    return "an operator" if level == "operator" else "a viewer"


def _write(path: Path, file: _File, mode: int) -> None:
    text = msgspec.json.encode(file).decode()
    if mode == 0o600:
        write_private(path, text)
        return
    with path.open("x", encoding="utf-8") as target:
        target.write(text)


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST_FILE), type=_File)
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror})") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BadInputError(f"{path} is no key file; `stm-daq keys new NAME` makes some") from None


def _key(path: Path, text: str) -> bytes:
    key = text.encode(errors="replace")
    try:
        valid = len(key) == 40 and len(z85.decode(key)) == 32
    except (ValueError, KeyError, IndexError, OverflowError):
        valid = False
    if not valid:
        raise BadInputError(f"{path}: the key in it is damaged; make new ones")
    return key
