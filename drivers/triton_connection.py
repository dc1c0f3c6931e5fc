"""One connection to an Oxford Triton: a line out, its line back, and never another one's.

Whatever goes wrong (no reply in time, a line that answers another question, a connection that
breaks), the connection is closed and the next question opens a new one, so that nothing late can be
taken for a reply. Questions are then asked once more; settings are not: they may have been carried
out.
"""

from __future__ import annotations

import logging

from stm_daq.clock import RealClock
from stm_daq.errors import DeadlineError, InstrumentError
from stm_daq.station.streams import ByteStream, open_stream

log = logging.getLogger(__name__)

LONGEST_LINE = 400
"""Bytes; the longest replies (several values of a magnet) are shorter."""
STRAY_LINES = 20
"""So many lines that answer nothing are skipped before the connection is given up."""
END = b"\r\n"


class TritonConnection:
    """Exchanges lines with the control software of a Triton.

    Parameters
    ----------
    host : str
    port : int
    timeout : float
        Longest wait for a reply, s.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._clock = RealClock()  # of the network, which is none of the twin's business
        self._stream: ByteStream | None = None

    def open(self) -> None:
        """Connect, unless connected already.

        Raises
        ------
        InstrumentError
            If nobody answers.
        """
        if self._stream is not None:
            return
        try:
            self._stream = open_stream(self._host, self._port, self._timeout)
        except OSError as error:
            raise InstrumentError(
                f"no connection to the Triton at {self._host}:{self._port} ({error}); is its "
                "control software running, with remote access switched on?"
            ) from error

    def close(self) -> None:
        """Disconnect; may be called twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def read(self, noun: str) -> str:
        """Return the value of a noun such as ``DEV:T5:TEMP:SIG:TEMP``, with its unit.

        Raises
        ------
        DeadlineError
            If no reply came before the deadline, twice.
        InstrumentError
            If there is no such noun, or the connection fails.
        """
        try:
            value = self._exchange(f"READ:{noun}", f"STAT:{noun}:")
        except InstrumentError as fault:
            log.warning("%s; asking once more", fault)
            value = self._exchange(f"READ:{noun}", f"STAT:{noun}:")
        if value in ("NOT_FOUND", "INVALID", "N/A", "DENIED", ""):
            raise InstrumentError(f"the Triton has no {noun} ({value or 'empty reply'})")
        return value

    def identity(self) -> str:
        """Return what the Triton says of itself."""
        return self._exchange("*IDN?", "IDN:")

    def set(self, noun: str, value: str) -> None:
        """Change a noun; sent once only.

        Raises
        ------
        DeadlineError
            If no reply came; the setting may or may not have been carried out.
        InstrumentError
            If the Triton refuses.
        """
        verdict = self._exchange(f"SET:{noun}:{value}", f"STAT:SET:{noun}:").rpartition(":")[2]
        if verdict != "VALID":
            raise InstrumentError(
                f"the Triton refused to set {noun} to {value} ({verdict}); is remote control "
                "allowed, and not taken by somebody else?"
            )

    def _exchange(self, line: str, prefix: str) -> str:
        """Send a line and return what follows `prefix` in the line that answers it."""
        self.open()
        stream = self._stream
        if stream is None:
            raise InstrumentError("the connection to the Triton is closed")
        try:
            stream.send(line.encode("ascii") + END)
            for _ in range(STRAY_LINES):
                reply = self._receive_line(stream)
                if reply.startswith(prefix):
                    return reply.removeprefix(prefix).strip()
                log.warning("%s: the Triton sent %r instead", line, reply)
        except TimeoutError as fault:
            self.close()
            raise DeadlineError(
                f"{line}: no reply from the Triton within {self._timeout:g} s"
            ) from fault
        except (OSError, UnicodeDecodeError) as fault:
            self.close()
            raise InstrumentError(
                f"{line}: the connection to the Triton failed ({fault})"
            ) from fault
        self.close()
        raise InstrumentError(f"{line}: the Triton sent only replies to other questions")

    def _receive_line(self, stream: ByteStream) -> str:
        """Receive exactly one line, byte by byte: nothing of the next one is taken.

        The deadline is that of the whole line, however its bytes trickle in.
        """
        line, deadline = bytearray(), self._clock.now() + self._timeout
        while len(line) < LONGEST_LINE:
            byte = stream.receive(1)
            if byte == b"\n":
                return line.decode("ascii").rstrip("\r")
            line += byte
            if self._clock.now() > deadline:
                raise TimeoutError("the line does not end")
        raise ConnectionError(f"a line longer than {LONGEST_LINE} bytes")
