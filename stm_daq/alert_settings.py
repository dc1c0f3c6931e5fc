"""The form of ``alerts:`` in a station or a plan: who is told, and of what.

Passwords and addresses that hold a secret are never written there, only where they are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stm_daq.yaml_model import Block, Number, Text, Whole, quantity
from stm_daq.yaml_source import KeyPath

Seconds = Annotated[float, quantity("s"), Field(gt=0)]
Bytes = Annotated[float, quantity("byte"), Field(gt=0)]
Words = Annotated[tuple[Text, ...], Field(min_length=1)]
type Level = Literal["info", "warning", "alarm"]
type State = Literal["started", "resumed", "paused", "continued", "finished", "stopped", "failed"]
type Misfit = tuple[KeyPath, str]

SINKS = ("file", "command", "smtp", "apprise")
RULES = ("state", "guard", "bad_fits", "tip_change", "event", "disk", "commit", "silence")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class FileBlock(Block):
    """A line for every alert at the end of a file."""

    path: Text


class CommandBlock(Block):
    """A program; the alert comes by its environment and standard input, never by its arguments."""

    arguments: Words
    timeout: Seconds = 20.0


class SmtpBlock(Block):
    """Mail."""

    host: Text
    port: Annotated[Whole, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "ssl", "none"] = "starttls"
    user: Text | None = None
    password_file: Text | None = None
    password_env: Text | None = None
    ca_file: Text | None = None
    sender: Text
    to: Words


class AppriseBlock(Block):
    """Any service that apprise knows, by its URL, which holds the secret."""

    url_file: Text | None = None
    url_env: Text | None = None


class SinkBlock(Block):
    """One way out: one of file, command, smtp, apprise."""

    file: FileBlock | None = None
    command: CommandBlock | None = None
    smtp: SmtpBlock | None = None
    apprise: AppriseBlock | None = None


class BadFitsBlock(Block):
    """Too many of the last fits cannot be trusted."""

    fraction: Annotated[Number, Field(gt=0, le=1)]
    of: Annotated[Whole, Field(ge=1, le=100_000)]


class DiskBlock(Block):
    """Little space is left where the run is stored."""

    min: Bytes


class CommitBlock(Block):
    """Nothing has been stored for a while, although nobody paused the run."""

    late: Seconds


class SilenceBlock(Block):
    """Nothing is heard from a run; only another process can tell."""

    after: Seconds


class RuleBlock(Block):
    """Of what to tell: one of the kinds, and how."""

    state: tuple[State, ...] | None = None
    guard: Literal["any"] | None = None
    bad_fits: BadFitsBlock | None = None
    tip_change: Literal["any"] | None = None
    event: Words | None = None
    disk: DiskBlock | None = None
    commit: CommitBlock | None = None
    silence: SilenceBlock | None = None
    name: Text | None = None
    level: Level | None = None
    to: Words | None = None
    every: Seconds | None = None

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in RULES if getattr(self, kind) is not None)

    @property
    def label(self) -> str:
        """Its name, or its kind if it has none."""
        return self.name or self.kind


class PlanAlertsBlock(Block):
    """Rules of one plan; each replaces the station's rule of the same name."""

    rules: Annotated[tuple[RuleBlock, ...], Field(min_length=1)]


class AlertsBlock(Block):
    """Sinks by name, and rules."""

    sinks: dict[str, SinkBlock] | None = None
    rules: Annotated[tuple[RuleBlock, ...], Field(min_length=1)] | None = None
    every: Seconds = 600.0


DEFAULT_RULES = (
    RuleBlock(state=("resumed", "paused", "finished", "stopped", "failed")),
    RuleBlock(guard="any"),
    RuleBlock(bad_fits=BadFitsBlock(fraction=0.5, of=20)),
    RuleBlock(tip_change="any"),
    RuleBlock(event=("watchdog",)),
    RuleBlock(disk=DiskBlock.model_construct(min=1e9)),
    RuleBlock(commit=CommitBlock.model_construct(late=1800.0)),
    RuleBlock(silence=SilenceBlock.model_construct(after=60.0)),
)
"""Where the station has no rules."""


@dataclass(frozen=True)
class AlertSettings:
    """Rules and sinks of one run."""

    sinks: dict[str, SinkBlock]
    rules: tuple[RuleBlock, ...]
    every: float
    """The shortest time between two alerts about the same thing, s."""
    folder: Path
    """Where relative paths of sinks begin."""

    def without_sinks(self) -> AlertSettings:
        """Return the same rules; nobody is told."""
        return replace(self, sinks={})


def alert_settings(
    station: AlertsBlock | None, folder: Path, plan: PlanAlertsBlock | None = None
) -> AlertSettings:
    """Put together what station and plan say; `folder` is that of the station file."""
    block = station or AlertsBlock()
    rules = {rule.label: rule for rule in block.rules or DEFAULT_RULES}
    rules |= {rule.label: rule for rule in (plan.rules if plan else ())}
    return AlertSettings(block.sinks or {}, tuple(rules.values()), block.every, folder)


def misfits_of_alerts(block: AlertsBlock) -> Iterator[Misfit]:
    """Yield what does not go together in the ``alerts:`` of a station."""
    for name, sink in (block.sinks or {}).items():
        yield from _sink(sink, ("alerts", "sinks", name))
    yield from misfits_of_rules(block.rules or ())
    yield from unknown_sinks(block.rules or (), block.sinks or {})


def misfits_of_rules(rules: Sequence[RuleBlock]) -> Iterator[Misfit]:
    """Yield what does not go together in rules, of a station or of a plan."""
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        path: KeyPath = ("alerts", "rules", number)
        given = _given(rule, RULES)
        if len(given) != 1:
            yield path, _needs_one(RULES, given)
        elif rule.label in seen:
            yield path, f"there is a rule '{rule.label}' already: give one of them a `name:`"
        else:
            seen.add(rule.label)


def unknown_sinks(rules: Sequence[RuleBlock], sinks: Collection[str]) -> Iterator[Misfit]:
    """Yield the sinks that rules name and the station does not have."""
    known = ", ".join(sinks) or "none"
    for number, rule in enumerate(rules):
        for place, name in enumerate(rule.to or ()):
            if name not in sinks:
                path: KeyPath = ("alerts", "rules", number, "to", place)
                yield path, f"the station has no sink '{name}' (it has: {known})"


def _sink(sink: SinkBlock, path: KeyPath) -> Iterator[Misfit]:
    given = _given(sink, SINKS)
    if len(given) != 1:
        yield path, _needs_one(SINKS, given)
        return
    if sink.apprise is not None and len(_given(sink.apprise, ("url_file", "url_env"))) != 1:
        yield (*path, "apprise"), "needs url_file or url_env: the URL itself is a secret"
    if sink.smtp is not None:
        yield from _smtp(sink.smtp, (*path, "smtp"))


def _smtp(smtp: SmtpBlock, path: KeyPath) -> Iterator[Misfit]:
    secrets = _given(smtp, ("password_file", "password_env"))
    if len(secrets) > 1 or bool(secrets) != (smtp.user is not None):
        yield path, "needs user together with one of password_file, password_env; or none of them"
    if secrets and smtp.security == "none" and smtp.host not in _LOOPBACK:
        yield (*path, "security"), "a password is not sent unencrypted: use starttls or ssl"


def _given(block: Block, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if getattr(block, key) is not None]


def _needs_one(keys: Sequence[str], given: Sequence[str]) -> str:
    found = " and ".join(given) if given else "none of them"
    return f"needs exactly one of {', '.join(keys)}; here is {found}"
