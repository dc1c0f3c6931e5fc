"""Who may enter the dashboard: one-time tokens, and the signed cookie they are exchanged for.

A token opens the door once. The cookie is not kept anywhere: it carries role and expiry and is
signed (HMAC-SHA256) with a secret of this user, so that it outlives a restart of the server.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Literal

from stm_daq.clock import Clock
from stm_daq.errors import BadInputError

type Role = Literal["viewer", "operator"]

ROLES: tuple[Role, ...] = ("viewer", "operator")
TOKEN_LIFE = 24 * 3600.0
"""s, for which an unused token is good."""
COOKIE_LIFE = 7 * 24 * 3600.0
"""s; the longest measurement that helium allows, and some more."""
_MOST_TOKENS = 100
_SECRET_SIZE = 32


def secret_of(file: Path) -> bytes:
    """Return the secret kept in `file`; make one that only its owner can read if there is none.

    Raises
    ------
    BadInputError
        If others may read it, or it is damaged.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(secrets.token_bytes(_SECRET_SIZE))
    except FileExistsError:
        pass  # made by an earlier dashboard
    except OSError as error:
        raise BadInputError(f"{file}: the dashboard's secret cannot be kept ({error})") from None
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise BadInputError(f"{file} can be read by others: `chmod 600 {file}`, or delete it")
    secret = file.read_bytes()
    if len(secret) != _SECRET_SIZE:
        raise BadInputError(f"{file} is damaged: delete it, a new one will be made")
    return secret


class Doors:
    """Hands out tokens and cookies and knows which of them are good.

    Parameters
    ----------
    secret : bytes
        See :func:`secret_of`.
    port : int
        Browsers send a cookie to every port of a computer: one of another dashboard is not good here.
    clock : Clock
    """

    def __init__(self, secret: bytes, port: int, clock: Clock) -> None:
        self._secret = secret
        self._port = port
        self._clock = clock
        self._tokens: dict[str, tuple[Role, float]] = {}
        self.cookie_name = f"stm_daq_{port}"

    def invite(self, role: Role) -> str:
        """Return a new token: good once, for a day."""
        while len(self._tokens) >= _MOST_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))  # the oldest
        token = secrets.token_urlsafe(24)
        self._tokens[_digest(token)] = (role, self._clock.now() + TOKEN_LIFE)
        return token

    def admit(self, token: str) -> Role | None:
        """Use up `token`; return its role, or None if it is not (or no longer) good."""
        role, expiry = self._tokens.pop(_digest(token), (None, 0.0))
        return role if self._clock.now() < expiry else None

    def cookie(self, role: Role) -> str:
        """Return the value of a new cookie."""
        claim = f"{role}.{int(self._clock.wall() + COOKIE_LIFE)}.{secrets.token_hex(8)}"
        return f"{claim}.{self._seal(claim)}"

    def role_of(self, cookie: str) -> Role | None:
        """Return the role that a cookie gives, or None if it is forged, old, or of another port."""
        claim, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(claim).encode()):
            return None
        name, expiry, _ = claim.split(".")  # ours: the seal is right
        if self._clock.wall() >= int(expiry):
            return None
        return next(role for role in ROLES if role == name)

    def _seal(self, claim: str) -> str:
        message = f"{self._port}:{claim}".encode(errors="replace")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()


def _digest(token: str) -> str:
    """Tokens are looked up by their digest: the time it takes tells nothing about them."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
