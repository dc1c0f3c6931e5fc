"""The Nanonis TCP programming interface: messages to bytes and back, without any connection.

::

    request = name[32] | int32 body size | uint16 send response | 2 zero bytes | arguments
    reply   = name[32] | int32 body size | 4 zero bytes | return values | error block
    error   = uint32 status (1 = error) | int32 size | description

Everything is big-endian; names are padded with zero bytes. When a command fails its return values
are still there, blank, in front of the error block; an unknown command has no return values.

Source: SPECS, "Nanonis TCP Protocol", R14718 (2025).
"""

from __future__ import annotations

import struct
from typing import Any

from stm_daq.protocols.nanonis_commands import COMMANDS, Command
from stm_daq.protocols.nanonis_fields import Layout, ProtocolError

__all__ = [
    "COMMANDS",
    "HEADER_SIZE",
    "Command",
    "Layout",
    "ProtocolError",
    "body_size",
    "decode_reply",
    "decode_request",
    "encode_reply",
    "encode_request",
    "request_name",
]

HEADER_SIZE = 40
LARGEST_BODY = 1 << 28
"""A body size beyond this (bytes) can only be a misread header."""

_REQUEST = struct.Struct(">32siH2x")
_REPLY = struct.Struct(">32si4x")
_ERROR = struct.Struct(">Ii")
_NO_ERROR = _ERROR.pack(0, 0)


def encode_request(name: str, *values: Any, respond: bool = True) -> bytes:
    """Encode a command with its arguments.

    Raises
    ------
    ProtocolError
        If the command is not in the table or an argument does not fit.
    """
    command = _command(name)
    try:
        body = command.arguments.pack(values)
    except ProtocolError as error:
        raise ProtocolError(f"{name}: {error}") from error
    return _REQUEST.pack(command.wire_name, len(body), int(respond)) + body


def request_name(request: bytes) -> str:
    """Return the name of the command, known or not."""
    return request[:32].rstrip(b"\0").decode("latin-1")


def decode_request(request: bytes) -> tuple[Command, tuple[Any, ...], bool]:
    """Return command, arguments and whether a reply is wanted.

    Raises
    ------
    ProtocolError
        If the command is unknown or its arguments are damaged, too short or too long.
    """
    command = _command(request_name(request))
    _, size, respond = _REQUEST.unpack_from(request)
    expected = HEADER_SIZE + size
    if expected != len(request):
        raise ProtocolError(
            f"{command.name}: {len(request) - HEADER_SIZE} bytes of arguments, {size} expected"
        )
    try:
        values, end = command.arguments.unpack(request, HEADER_SIZE)
        if end != expected:
            raise ProtocolError(f"{size} bytes of arguments, {end - HEADER_SIZE} expected")
    except ProtocolError as damage:
        values = _other_arguments(command, request)
        if not values:
            raise ProtocolError(f"{command.name}: {damage}") from damage
    return command, values, bool(respond)


def _other_arguments(command: Command, request: bytes) -> tuple[Any, ...]:
    """Try the layouts that some clients use; () if none fits."""
    for layout in command.other_arguments:
        try:
            values, end = layout.unpack(request, HEADER_SIZE)
        except ProtocolError:
            continue  # the next layout may fit
        if end == len(request):
            return (*values, *command.arguments.blank()[len(values) :])
    return ()


def encode_reply(
    name: str, values: tuple[Any, ...] = (), error: str = "", layout: Layout | None = None
) -> bytes:
    """Encode return values, or an error with blank return values.

    Parameters
    ----------
    name : str
        Of the command; one that is not in the table can only be answered with an error.
    values : tuple
    error : str
        Description; empty if there was none.
    layout : Layout, optional
        Of the return values, if not the one of the table.

    Raises
    ------
    ProtocolError
        If the values do not fit.
    """
    body = b""
    if name in COMMANDS:
        returns = layout or COMMANDS[name].returns
        body = returns.pack(returns.blank() if error else values)
    if error:
        text = error.encode("ascii", "replace")
        body += _ERROR.pack(1, len(text)) + text
    else:
        body += _NO_ERROR
    return _REPLY.pack(name.encode("latin-1"), len(body)) + body


def body_size(header: bytes) -> int:
    """Return how many bytes follow this header (of a request or a reply).

    Raises
    ------
    ProtocolError
        If the size is impossible: the stream is out of step.
    """
    _, size = _REPLY.unpack(header)
    if not 0 <= size <= LARGEST_BODY:
        raise ProtocolError(f"impossible body size {size}: the connection is out of step")
    return int(size)


def decode_reply(name: str, reply: bytes) -> tuple[tuple[Any, ...], str]:
    """Return the values and the error description ("" if there is none) of a reply to `name`.

    Where the table has several layouts the values are those of the first that fits.

    Raises
    ------
    ProtocolError
        If the reply belongs to another command, is cut short, or is damaged.
    """
    command = _command(name)
    if reply[:32] != command.wire_name:
        raise ProtocolError(f"asked {name}, but {request_name(reply)!r} was answered")
    damage: Exception | None = None
    for layout in (command.returns, *command.other_returns):
        try:
            values, end = layout.unpack(reply, HEADER_SIZE)
            return values, _error_text(reply[end:])
        except (ProtocolError, struct.error) as found:
            damage = damage or found
    try:
        error = _error_text(reply[HEADER_SIZE:])
    except (ProtocolError, struct.error):
        error = ""
    if not error:
        raise ProtocolError(f"{name}: {damage}") from damage
    return command.returns.blank(), error


def _error_text(block: bytes) -> str:
    """Return the description in an error block, "" if there was no error."""
    status, size = _ERROR.unpack_from(block)
    text = block[_ERROR.size :]
    if status not in (0, 1) or size != len(text):
        raise ProtocolError("damaged error block at the end of the reply")
    return (text.decode("latin-1") or "error without description") if status else ""


def _command(name: str) -> Command:
    try:
        return COMMANDS[name]
    except KeyError:
        raise ProtocolError(f"unknown command {name!r}") from None
