"""Rules of alerts: what is found, how often it is told, and how they are written."""

from pathlib import Path

import pytest

from stm_daq.alert_settings import (
    AlertsBlock,
    BadFitsBlock,
    CommitBlock,
    DiskBlock,
    PlanAlertsBlock,
    RuleBlock,
    alert_settings,
)
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.limiter import Limiter, Notice
from stm_daq.monitor.alerts.rules import (
    BadFits,
    GuardTripped,
    LateCommit,
    LittleSpace,
    States,
    make_rules,
)
from stm_daq.monitor.alerts.silence import DeadMan
from stm_daq.monitor.client import Silence
from stm_daq.monitor.messages import Heartbeat, Message
from stm_daq.records import Event, RunEnded
from stm_daq.station.config import load_station

ROOT = Path(__file__).parents[2]


class Hands:
    """A clock that is moved by hand."""

    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    wall = now

    def sleep(self, seconds):
        self.time += seconds


def notice(text="bad", time=0.0, about="temperature"):
    return Notice(time, "guard", "alarm", text, about)


def guard(good, time=0.0):
    data = {"guard": "temperature", "good": good, "action": "pause"}
    return Event(time, "guard", f"temperature is {'good' if good else 'bad'}", data)


def test_states_tell_what_was_asked_for_with_the_reason(run):
    rule = States({"started", "paused", "failed"})
    assert rule.see(run.started()).text == "the rehearsal has started: 12 spectra"
    assert rule.see(Event(0.0, "pause", "paused by ada")).level == "warning"
    assert rule.see(Event(0.0, "continue", "continued by ada")) is None
    assert rule.see(RunEnded(0.0, "resumed", "after: power cut")) is None
    ended = rule.see(RunEnded(0.0, "failed", "the tip crashed"))
    assert (ended.level, ended.text) == ("alarm", "the run has ended, failed: the tip crashed")


def test_bad_fits_are_told_once_until_they_are_good_again(run):
    rule = BadFits(0.5, 4)
    verdicts = [True, False, True, False, False, True, True, True]
    found = [rule.see(run.fit(site, ok=ok)) for site, ok in enumerate(verdicts)]
    texts = [None if finding is None else (finding.text, finding.good) for finding in found]
    assert texts == [
        *[None] * 3,
        ("2 of the last 4 fits cannot be trusted", False),
        *[None] * 2,
        None,
        ("1 of the last 4 fits cannot be trusted", True),
    ]


def test_a_site_that_is_fitted_again_counts_once(run):
    rule = BadFits(1.0, 2)
    assert rule.see(run.fit(0, ok=False)) is None
    assert rule.see(run.fit(0, ok=False)) is None
    assert rule.see(run.fit(1, ok=False)) is not None


def test_little_space_is_told_at_the_level():
    free = iter([5e9, 0.5e9, 0.4e9, 5e9])
    rule = LittleSpace(1e9, lambda: next(free))
    assert [f and f.level for f in (rule.look() for _ in range(4))] == [None, "alarm", None, "info"]


def test_a_disk_that_cannot_be_read_counts_as_full():
    def free():
        raise OSError("stale handle")

    assert "stale handle" in LittleSpace(1e9, free).look().text


def test_a_late_commit_is_told_unless_the_run_waits_on_purpose(run):
    clock = Hands()
    rule = LateCommit(60.0, clock)
    assert rule.look() is None  # nothing has begun
    rule.see(run.fit(0))
    clock.time = 61.0
    assert rule.look().text == "nothing was stored for 1 min 1 s"
    assert rule.look() is None
    assert rule.see(guard(good=False)).good
    clock.time = 1000.0
    assert rule.look() is None  # paused by the guard
    rule.see(guard(good=True))
    clock.time = 2000.0
    assert rule.look() is not None
    rule.see(RunEnded(0.0, "finished"))
    clock.time = 9000.0
    assert rule.look() is None


def test_a_flapping_guard_is_told_now_and_then_and_the_last_word_is_right():
    limiter, rule, passed = Limiter(), GuardTripped(), []
    for minute in range(60):
        now = 60.0 * minute
        finding = rule.see(guard(good=bool(minute % 2), time=now))
        new = limiter.take(notice(finding.text, now), every=600.0, now=now)
        passed += limiter.due(now) + ([new] if new else [])
    passed += limiter.rest(3600.0)
    assert len(passed) == 7  # one at once, five windows, and the rest
    assert passed[0].text == "guard: temperature is bad"
    assert passed[1].text.startswith("10 times in 10 min 0 s, the latest: guard: temperature is ")
    assert passed[-1].text.endswith("the latest: guard: temperature is good")


def test_another_thing_is_not_held_back():
    limiter = Limiter()
    assert limiter.take(notice(), 600.0, 0.0)
    assert limiter.take(notice(about="disk"), 600.0, 1.0)
    assert limiter.take(notice(), 600.0, 2.0) is None
    assert limiter.due(599.0) == []
    assert [n.text for n in limiter.due(600.0)] == ["bad"]
    assert limiter.take(notice(), 600.0, 1200.0)


def test_a_dead_man_is_missed_only_while_a_run_goes_on(run):
    switch = DeadMan("tcp://lab", 60.0)
    assert switch.hear(Silence(1e4, heard=False)) is None  # never heard
    switch.hear(Message("r", "b", 0, 0.0, run.started()))
    assert switch.hear(Silence(59.0, heard=True)) is None
    found = switch.hear(Silence(61.0, heard=True))
    assert found.level == "alarm"
    assert "silent for 1 min 1 s" in found.text
    assert switch.hear(Silence(62.0, heard=True)) is None
    assert switch.hear(Message("r", "b", 1, 0.0, Heartbeat("running"))).good
    switch.hear(Message("r", "b", 2, 0.0, RunEnded(0.0, "finished")))
    assert switch.hear(Silence(1e4, heard=True)) is None


def test_a_plan_replaces_the_rules_of_the_same_name(tmp_path):
    plan = PlanAlertsBlock(rules=(RuleBlock(bad_fits=BadFitsBlock(fraction=0.1, of=5)),))
    rules = {r.label: r for r in alert_settings(None, tmp_path, plan).rules}
    assert rules["bad_fits"].bad_fits.of == 5
    assert {"state", "guard", "tip_change", "disk", "commit", "silence"} <= set(rules)
    station = AlertsBlock(rules=(RuleBlock(guard="any"),))
    assert [r.label for r in alert_settings(station, tmp_path).rules] == ["guard"]


def test_every_kind_of_rule_is_made(tmp_path):
    settings = alert_settings(None, tmp_path)
    made = make_rules(settings, lambda: 1e12, Hands())
    assert len(made) == len(settings.rules) - 1  # silence is for other processes


@pytest.fixture
def load(tmp_path):
    def load_with(alerts: str):
        path = tmp_path / "station.yaml"
        path.write_text((ROOT / "station.yaml").read_text("utf-8") + alerts, "utf-8")
        return load_station(path)

    return load_with


def test_a_station_with_alerts(load):
    block = load("""
alerts:
  every: "5 min"
  sinks:
    log: {file: {path: alerts.txt}}
    mail: {smtp: {host: mail.lab, sender: stm@lab, to: [ada@lab]}}
  rules:
    - state: [failed, finished]
    - guard: any
      to: [mail]
      every: "1 min"
    - disk: {min: "2 GB"}
    - commit: {late: "20 min"}
      level: warning
""").alerts
    assert block.every == 300.0
    assert block.sinks["mail"].smtp.security == "starttls"
    assert block.rules[1].to == ("mail",)
    assert block.rules[2].disk == DiskBlock.model_construct(min=2e9)
    assert block.rules[3].commit == CommitBlock.model_construct(late=1200.0)


@pytest.mark.parametrize(
    ("rules", "place", "text"),
    [
        ("- stat: [failed]", ":3:", "alerts.rules[0].stat: unknown key (did you mean 'state'?)"),
        ("- state: [crashed]", ":3:", "state[0]: should be 'started'"),
        ("- disk: {min: 2}", ":3:", "disk.min: needs a unit"),
        ("- guard: any\n    - guard: any", ":4:", "there is a rule 'guard' already"),
        ("- guard: any\n      tip_change: any", ":3:", "needs exactly one of state, guard"),
        (
            "- guard: any\n      to: [pager]",
            ":4:",
            "the station has no sink 'pager' (it has: none)",
        ),
        ("- bad_fits: {fraction: 2.0, of: 5}", ":3:", "less than or equal to 1"),
    ],
)
def test_mistakes_are_named_with_their_place(load, rules, place, text):
    before = len((ROOT / "station.yaml").read_text("utf-8").splitlines())
    with pytest.raises(BadInputError) as caught:
        load(f"alerts:\n  rules:\n    {rules}\n")
    (problem,) = caught.value.problems
    assert problem.line - before == int(place.strip(":"))
    assert text in problem.text


@pytest.mark.parametrize(
    ("sink", "text"),
    [
        ("{}", "needs exactly one of file, command, smtp, apprise; here is none of them"),
        ("{apprise: {url: x}}", "unknown key"),
        ("{apprise: {}}", "needs url_file or url_env"),
        ("{command: {arguments: notify-send}}", "should be a valid tuple"),
        ("{smtp: {host: h, sender: s, to: [t], password: secret}}", "unknown key"),
        ("{smtp: {host: h, sender: s, to: [t], user: me}}", "needs user together with"),
        (
            "{smtp: {host: h, sender: s, to: [t], user: me, password_env: P, security: none}}",
            "a password is not sent unencrypted",
        ),
    ],
)
def test_mistakes_of_sinks(load, sink, text):
    with pytest.raises(BadInputError, match=r"alerts\.sinks\.out") as caught:
        load(f"alerts:\n  sinks:\n    out: {sink}\n")
    assert text in str(caught.value)
