"""Ways out of the program for an alert: a file, a command, a mail, and all that apprise knows."""

from __future__ import annotations

import os
import signal
import smtplib
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Protocol

from stm_daq.alert_settings import (
    AlertSettings,
    AppriseBlock,
    CommandBlock,
    FileBlock,
    SinkBlock,
    SmtpBlock,
)
from stm_daq.errors import StmDaqError
from stm_daq.monitor.alerts.complaints import Complaints
from stm_daq.monitor.alerts.letter import Letter, moment, plain
from stm_daq.monitor.alerts.secrets import secret

DEADLINE = 30.0
"""For one letter, s."""
_NETWORK = 15.0
"""For one answer of a mail server, s."""


class SinkError(StmDaqError):
    """An alert could not be handed over; it is tried again later."""


class Sink(Protocol):
    """Takes letters."""

    @property
    def deadline(self) -> float:
        """After which a letter counts as not taken, s."""
        ...

    def send(self, letter: Letter) -> None:
        """Hand over a letter; any exception means that it was not taken."""
        ...


@dataclass(frozen=True)
class FileSink:
    """Adds a line to a file."""

    path: Path
    deadline: float = DEADLINE

    def send(self, letter: Letter) -> None:
        """Write a line and see to it that it is on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(letter.line + "\n")
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class CommandSink:
    """Runs a program. The alert is in its environment (STM_DAQ_ALERT_...) and on its standard input:
    nothing of it is ever interpreted by a shell or taken for an option."""

    arguments: tuple[str, ...]
    timeout: float

    @property
    def deadline(self) -> float:
        """A little more than the program has."""
        return self.timeout + 5.0

    def send(self, letter: Letter) -> None:
        """Run the program to its end.

        Raises
        ------
        SinkError
            If it cannot be started, does not end in time (it is killed), or fails.
        """
        complaints = Complaints()
        try:
            process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints.entrance,
                env=os.environ | _environment(letter),
                start_new_session=True,  # so that its children can be ended with it
            )
        except OSError as error:
            raise SinkError(f"{self.arguments[0]} cannot be started: {error}") from None
        finally:
            complaints.listen()
        try:
            process.communicate(letter.body.encode(), timeout=self.timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            text = f"{self.arguments[0]} did not end within {self.timeout:g} s"
            raise SinkError(text) from None
        if process.returncode:
            said = plain(complaints.heard().decode(errors="replace"), 200)
            raise SinkError(f"{self.arguments[0]} ended with {process.returncode}: {said}")


def _environment(letter: Letter) -> dict[str, str]:
    facts = {
        "TIME": moment(letter.time),
        "LEVEL": letter.level,
        "RULE": letter.rule,
        "RUN": letter.run,
        "NAME": letter.name,
        "TEXT": letter.text,
    }
    return {f"STM_DAQ_ALERT_{key}": plain(value) for key, value in facts.items()}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and, where the system knows how, all that it has started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait(5.0)


@dataclass(frozen=True)
class MailSink:
    """Sends a mail; the server's certificate is checked."""

    block: SmtpBlock
    folder: Path
    deadline: float = 2 * DEADLINE

    def send(self, letter: Letter) -> None:
        """Hand the mail to the server.

        Raises
        ------
        OSError, smtplib.SMTPException
            If the server cannot be reached, is not who it says it is, or refuses.
        BadInputError
            If the password cannot be read.
        """
        block = self.block
        password = ""
        if block.user is not None:
            password = secret(block.password_file, block.password_env, self.folder)
        with self._connected() as server:
            if block.user is not None:
                server.login(block.user, password)
            server.send_message(_mail(letter, block.sender, block.to))

    def _connected(self) -> smtplib.SMTP:
        block = self.block
        if block.security == "none":
            return smtplib.SMTP(block.host, block.port, timeout=_NETWORK)
        authorities = None if block.ca_file is None else str(self.folder / block.ca_file)
        context = ssl.create_default_context(cafile=authorities)
        if block.security == "ssl":
            return smtplib.SMTP_SSL(block.host, block.port, timeout=_NETWORK, context=context)
        server = smtplib.SMTP(block.host, block.port, timeout=_NETWORK)
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server


def _mail(letter: Letter, sender: str, to: tuple[str, ...]) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = letter.subject
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate(letter.time)
    mail["Message-ID"] = make_msgid(domain="stm-daq.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.body)
    return mail


@dataclass(frozen=True)
class AppriseSink:
    """Tells any service that apprise knows (extra ``alerts``)."""

    block: AppriseBlock
    folder: Path
    deadline: float = 2 * DEADLINE

    def send(self, letter: Letter) -> None:
        """Hand the alert to apprise.

        Raises
        ------
        SinkError
            If apprise is not installed, does not know the URL, or could not deliver.
        """
        try:
            from apprise import Apprise, NotifyFormat, NotifyType
        except ImportError:
            raise SinkError("apprise is not installed: pip install 'stm-daq[alerts]'") from None
        service = Apprise()
        if not service.add(secret(self.block.url_file, self.block.url_env, self.folder)):
            raise SinkError("apprise does not know this URL (it is not shown: it is a secret)")
        kinds = {"warning": NotifyType.WARNING, "alarm": NotifyType.FAILURE}
        kind = kinds.get(letter.level, NotifyType.INFO)
        if not service.notify(
            title=letter.subject, body=letter.body, notify_type=kind, body_format=NotifyFormat.TEXT
        ):
            raise SinkError("apprise could not deliver it")


def make_sinks(settings: AlertSettings) -> dict[str, Sink]:
    """Make the sinks of a station, by name; nothing is opened yet."""
    return {name: _make(block, settings.folder) for name, block in settings.sinks.items()}


def _make(block: SinkBlock, folder: Path) -> Sink:
    if block.file is not None:
        return FileSink(folder / Path(_home(block.file)))
    if block.command is not None:
        return _command(block.command)
    if block.smtp is not None:
        return MailSink(block.smtp, folder)
    assert block.apprise is not None
    return AppriseSink(block.apprise, folder)


def _home(block: FileBlock) -> str:
    return str(Path(block.path).expanduser())


def _command(block: CommandBlock) -> CommandSink:
    return CommandSink(block.arguments, block.timeout)


def sinks_of(rule_sinks: tuple[str, ...] | None, sinks: Mapping[str, Sink]) -> list[str]:
    """Return the names of the sinks that a rule wants: those it names, or all."""
    return [name for name in (rule_sinks or sinks) if name in sinks]
