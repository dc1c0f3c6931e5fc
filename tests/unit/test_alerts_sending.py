"""Alerts get through: to real files, processes, mail and web servers; what does not, waits on disk."""

import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from stm_daq.alert_settings import (
    AlertSettings,
    AppriseBlock,
    CommandBlock,
    FileBlock,
    RuleBlock,
    SilenceBlock,
    SinkBlock,
    SmtpBlock,
)
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.alerter import Alerter
from stm_daq.monitor.alerts.announcer import Announcer
from stm_daq.monitor.alerts.courier import Courier, attempt
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.office import PostOffice, send_unsent
from stm_daq.monitor.alerts.silence import SilenceWatch
from stm_daq.monitor.alerts.sinks import CommandSink, FileSink, make_sinks
from stm_daq.monitor.alerts.spool import NAME, Spool, read_unsent
from stm_daq.monitor.bodies import Alert
from stm_daq.monitor.client import connect
from stm_daq.monitor.messages import Message
from stm_daq.monitor.publisher import Publisher
from stm_daq.records import Event, RunEnded, RunStarted

PEM = Path(__file__).parents[1] / "data/localhost.pem"
NASTY = 'guard: "; touch owned; $(touch owned) `touch owned`\r\nBcc: eve@evil\x00\x1b[2J'
RULES = (RuleBlock(guard="any"), RuleBlock(state=("finished",)))


def letter(text="temperature is bad", number=1):
    return Letter(number, 1.8e9, "run-1", "TiN map", "guard", "alarm", text)


def settings(folder, rules=RULES, every=600.0, **sinks):
    blocks = {name: SinkBlock(**{kind: block}) for name, (kind, block) in sinks.items()}
    return AlertSettings(blocks, rules, every, folder)


def a_file(path):
    return ("file", FileBlock(path=str(path)))


def python(code):
    return CommandSink((sys.executable, "-c", code), timeout=20.0)


def wait_for(condition):
    """Wait until something another thread does has happened."""
    pause = threading.Event()
    for _ in range(500):
        if condition():
            return True
        pause.wait(0.02)
    return False


def test_a_file_has_a_line_for_every_alert(tmp_path):
    sink = FileSink(tmp_path / "new" / "alerts.txt")
    sink.send(letter())
    sink.send(letter(NASTY))
    lines = sink.path.read_text().splitlines()
    assert lines[0].endswith("alarm [guard] TiN map: temperature is bad")
    assert lines[1].endswith("`touch owned` Bcc: eve@evil[2J")
    assert len(lines) == 2


def test_a_command_gets_the_text_uninterpreted(tmp_path):
    out = tmp_path / "got.json"
    code = (
        "import json, os, sys; json.dump([sys.argv[1:], os.environ['STM_DAQ_ALERT_TEXT'], "
        f"os.environ['STM_DAQ_ALERT_LEVEL'], sys.stdin.read()], open({str(out)!r}, 'w'))"
    )
    assert attempt("command", python(code), letter(NASTY)) == ""
    arguments, text, level, stdin = json.loads(out.read_text())
    assert (arguments, level) == ([], "alarm")
    assert text == 'guard: "; touch owned; $(touch owned) `touch owned` Bcc: eve@evil[2J'
    assert text in stdin
    assert not list(Path.cwd().glob("owned"))


def test_a_command_that_fails_says_why():
    problem = attempt("c", python("import sys; sys.exit('the modem is\\n busy')"), letter())
    assert problem.endswith("ended with 1: the modem is busy")
    assert "cannot be started" in attempt("c", CommandSink(("/no/such/program",), 5.0), letter())


def test_a_command_that_floods_its_error_output_fills_no_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, sys\nos.write(2, b'begin ')\n"
        "for _ in range(40): os.write(2, b'x' * 65536)\nsys.exit(3)"
    )
    problem = attempt("c", python(code), letter())
    assert "ended with 3: begin xxx" in problem
    assert len(problem) <= 300
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="children of a process are not ended with it there")
def test_a_command_that_hangs_is_ended_with_all_it_has_started(tmp_path):
    mark = tmp_path / "pid"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    sink = CommandSink((sys.executable, "-c", code), timeout=1.5)
    assert "did not end within 1.5 s" in attempt("c", sink, letter())
    pid = int(mark.read_text())
    assert wait_for(lambda: not _alive(pid))


def _alive(pid):
    """Whether a process runs; one that is dead but not yet collected does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
    except ProcessLookupError:
        return False


class Inbox:
    """A mail server's inbox that may refuse."""

    def __init__(self):
        self.mails = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append(envelope)
        return self.answer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def mail_server():
    """Yield (inbox, port) of a server that wants STARTTLS and the password "tip"."""
    controller_module = pytest.importorskip("aiosmtpd.controller")
    from aiosmtpd.smtp import AuthResult, LoginPassword

    def allow(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and data.password == b"tip"
        return AuthResult(success=good, handled=False)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    inbox = Inbox()
    controller = controller_module.Controller(
        inbox, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
        auth_required=True, authenticator=allow,
    )  # fmt: skip
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop()


def mail(port, **more):
    facts = {"host": "localhost", "user": "stm", "password_env": "STM_DAQ_TEST_PASSWORD"}
    facts |= {"sender": "stm@lab.edu", "to": ("ada@lab.edu", "bob@lab.edu"), "ca_file": str(PEM)}
    return ("smtp", SmtpBlock.model_validate({"port": port, **facts, **more}))


def test_a_mail_is_sent_encrypted_and_with_a_password(tmp_path, mail_server, monkeypatch):
    inbox, port = mail_server
    monkeypatch.setenv("STM_DAQ_TEST_PASSWORD", "tip")
    sink = make_sinks(settings(tmp_path, mail=mail(port)))["mail"]
    assert attempt("mail", sink, letter(NASTY)) == ""
    (envelope,) = inbox.mails
    text = envelope.content.decode()
    assert envelope.rcpt_tos == ["ada@lab.edu", "bob@lab.edu"]
    assert "Subject: [stm_daq] alarm: TiN map: guard:" in text
    assert not any(line.startswith("Bcc") for line in text.splitlines())


def test_a_mail_server_that_is_not_believed_or_does_not_believe(tmp_path, mail_server, monkeypatch):
    inbox, port = mail_server
    monkeypatch.setenv("STM_DAQ_TEST_PASSWORD", "tip")
    stranger = make_sinks(settings(tmp_path, mail=mail(port, ca_file=None)))["mail"]
    assert "certificate verify failed" in attempt("mail", stranger, letter())
    monkeypatch.setenv("STM_DAQ_TEST_PASSWORD", "wrong")
    wrong = make_sinks(settings(tmp_path, mail=mail(port)))["mail"]
    assert "535" in attempt("mail", wrong, letter())
    monkeypatch.delenv("STM_DAQ_TEST_PASSWORD")
    assert "is not set" in attempt("mail", wrong, letter())
    assert inbox.mails == []


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_a_secret_that_others_can_read_is_refused(tmp_path, mail_server):
    file = tmp_path / "password"
    file.write_text("tip\n")
    file.chmod(0o644)
    block = mail(mail_server[1], password_env=None, password_file="password")
    sink = make_sinks(settings(tmp_path, mail=block))["mail"]
    assert "is secret, but others may use it" in attempt("mail", sink, letter())
    file.chmod(0o600)
    assert attempt("mail", sink, letter()) == ""


@pytest.fixture
def web_server():
    """Yield (requests, port, answers) of a server that takes JSON; `answers` are its next codes."""
    requests, answers = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield requests, server.server_address[1], answers
    server.shutdown()
    server.server_close()


def test_apprise_tells_a_web_service(tmp_path, web_server, monkeypatch):
    pytest.importorskip("apprise")
    requests, port, answers = web_server
    monkeypatch.setenv("STM_DAQ_TEST_URL", f"json://127.0.0.1:{port}/alerts")
    block = ("apprise", AppriseBlock(url_env="STM_DAQ_TEST_URL"))
    sink = make_sinks(settings(tmp_path, web=block))["web"]
    answers.append(500)
    assert attempt("web", sink, letter()) == "apprise could not deliver it"
    assert attempt("web", sink, letter()) == ""
    assert requests[1]["title"] == "[stm_daq] alarm: TiN map: temperature is bad"
    assert requests[1]["type"] == "failure"
    monkeypatch.setenv("STM_DAQ_TEST_URL", "nonsense://token")
    problem = attempt("web", sink, letter())
    assert "does not know this URL" in problem
    assert "token" not in problem


class Blocked:
    """A sink that hangs until it is let go."""

    deadline = 0.2

    def __init__(self):
        self.go = threading.Event()
        self.taken = []

    def send(self, letter):
        self.go.wait(30.0)
        self.taken.append(letter.number)


def test_a_hanging_sink_is_left_behind_and_what_it_did_after_all_counts(tmp_path):
    spool, sink = Spool(None), Blocked()
    spool.add(letter(), ["out"])
    courier = Courier("out", sink, spool)
    courier.deliver_due()
    (waiting,) = spool.unsent()
    assert waiting.problem == "did not take it within 0.2 s"
    spool.hurry()
    courier.deliver_due()
    assert spool.unsent()[0].problem == "still hangs in an earlier attempt"
    sink.go.set()
    assert wait_for(lambda: sink.taken == [1])
    spool.hurry()
    assert wait_for(lambda: courier.deliver_due() or not spool.unsent())
    assert sink.taken == [1]


def test_the_pause_between_attempts_grows_up_to_half_an_hour():
    spool = Spool(None)
    spool.add(letter(), ["out"])
    now, pauses = 0.0, []
    for _ in range(9):
        waiting = spool.due("out", now)
        spool.failed(waiting, "no network", now)
        pause = next(s for s in range(1, 2000) if spool.due("out", now + s) is not None)
        pauses.append(pause)
        now += pause
    assert pauses == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_a_clock_that_is_set_back_does_not_keep_an_alert_for_hours():
    spool = Spool(None)
    spool.add(letter(), ["out"])
    spool.failed(spool.due("out", 1.8e9), "no network", 1.8e9)
    assert spool.due("out", 1.8e9) is None
    assert spool.due("out", 1.8e9 - 7200.0) is not None


def test_a_full_disk_does_not_silence_the_alert_about_it(tmp_path, caplog):
    spool = Spool(tmp_path / NAME)
    spool.add(letter("first"), ["out"])
    spool._base.execute("PRAGMA max_page_count = 1")  # SQLite says that the disk is full
    for number in range(200):
        spool.add(letter(f"the disk is full {number} {'x' * 500}"), ["out"])
    assert "in memory only" in caplog.text
    assert len(spool.unsent()) == 201
    assert spool.unsent()[0].letter.text == "first"


def test_a_file_that_is_no_spool_is_refused(tmp_path):
    (tmp_path / NAME).write_text("no database" * 100)
    with pytest.raises(BadInputError, match="is no spool"):
        Spool(tmp_path / NAME)
    with pytest.raises(BadInputError, match="there is no spool"):
        read_unsent(tmp_path / "nothing")


KILLED = """
import sys
from pathlib import Path
from stm_daq.alert_settings import AlertSettings, CommandBlock, SinkBlock
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.office import PostOffice
folder = Path(sys.argv[1])
failing = CommandBlock(arguments=(sys.executable, "-c", "raise SystemExit('no network')"))
told = lambda waiting, problem: print(problem, flush=True)
settings = AlertSettings({"out": SinkBlock(command=failing)}, (), 60.0, folder)
office = PostOffice(settings, folder / "alerts.db", told)
office.post(Letter(0, 1.8e9, "run-1", "TiN map", "guard", "alarm", "too warm"), None)
sys.stdin.read()
"""


def test_a_killed_process_leaves_its_alerts_to_the_next(tmp_path):
    line = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert "no network" in first.stdout.readline()  # tried, and failed
        good = settings(tmp_path, out=a_file("alerts.txt"))
        with pytest.raises(BadInputError, match="somebody is sending these alerts"):
            send_unsent(good, tmp_path)
        first.kill()
    (waiting,) = read_unsent(tmp_path)
    assert (waiting.attempts, waiting.letter.text) == (1, "too warm")
    assert send_unsent(good, tmp_path) == []
    assert "too warm" in (tmp_path / "alerts.txt").read_text()
    assert read_unsent(tmp_path) == []


def test_an_office_sends_what_an_earlier_one_could_not(tmp_path):
    bad = settings(tmp_path, out=a_file(tmp_path))  # a folder: cannot be written
    office = PostOffice(bad, tmp_path / NAME)
    office.post(letter(), None)
    assert len(office.close()) == 1
    office = PostOffice(settings(tmp_path, out=a_file("alerts.txt")), tmp_path / NAME)
    assert office.close() == []
    assert (tmp_path / "alerts.txt").read_text().count("temperature is bad") == 1


def guard(good, time=1.8e9):
    return Event(time, "guard", "temperature is bad", {"guard": "temperature", "good": good})


def test_a_run_tells_people_viewers_and_its_journal(tmp_path, run):
    told = []
    (tmp_path / "run-1").mkdir()
    hanging = ("command", CommandBlock(arguments=(sys.executable, "-c", "raise SystemExit(3)")))
    sinks = settings(tmp_path, log=a_file("alerts.txt"), pager=hanging)
    alerter = Alerter(sinks, tmp_path, told.append)
    alerter(run.started(run_id="run-1", kind="run"))
    alerter(guard(good=False))
    events = []
    assert wait_for(lambda: events.extend(alerter(run.fit(0))) or len(events) == 2)
    alerter(RunEnded(1.8e9, "finished"))
    left = alerter.close()
    assert [(e.kind, e.data["level"]) for e in events] == [
        ("alert", "alarm"), ("alert_unsent", "alarm"),
    ]  # fmt: skip
    assert "pager" in events[1].text
    assert {(w.sink, w.letter.rule) for w in left} == {("pager", "guard"), ("pager", "state")}
    assert (tmp_path / "alerts.txt").read_text().count("TiN demo") == 2
    assert [(a.rule, a.delivered) for a in told if a.rule == "guard"] == [
        ("guard", False), ("guard", True),
    ]  # fmt: skip
    assert len(read_unsent(tmp_path / "run-1")) == 2


def test_a_damaged_spool_does_not_silence_the_resumed_run(tmp_path, run):
    (tmp_path / "run-1").mkdir()
    (tmp_path / "run-1" / NAME).write_text("cut off by the power" * 100)
    alerter = Alerter(settings(tmp_path, log=a_file("alerts.txt")), tmp_path, lambda alert: None)
    alerter(run.started(run_id="run-1", kind="run"))
    alerter(guard(good=False))
    events = []
    assert wait_for(lambda: events.extend(alerter(run.fit(0))) or len(events) == 2)
    assert alerter.close() == []
    assert events[0].kind == "warning"
    assert "is no spool" in events[0].text
    assert "temperature is bad" in (tmp_path / "alerts.txt").read_text()


def test_a_rehearsal_shows_its_alerts_and_sends_none(tmp_path, run):
    told = []
    alerter = Alerter(settings(tmp_path, log=a_file("alerts.txt")), tmp_path, told.append)
    alerter(run.started())
    assert alerter(guard(good=False)) == []
    assert alerter(RunEnded(1.8e9, "finished")) == []
    assert alerter.close() == []
    assert [(a.rule, a.delivered) for a in told] == [("guard", False), ("state", False)]
    assert not list(tmp_path.iterdir())


def test_a_rehearsal_may_send_and_counts_in_its_own_time(tmp_path, run):
    (tmp_path / run.started().run_id).mkdir()
    alerter = Alerter(
        settings(tmp_path, log=a_file("alerts.txt")), tmp_path, lambda alert: None, True
    )
    alerter(run.started())
    for minute in range(60):
        alerter(guard(good=False, time=1.8e9 + 60.0 * minute))
    alerter(RunEnded(1.8e9 + 3600.0, "finished"))
    assert alerter.close() == []
    lines = (tmp_path / "alerts.txt").read_text().splitlines()
    assert sum("guard: temperature is bad" in line for line in lines) == 2
    assert "59 times in 1 h 0 min, the latest" in "".join(lines)


def test_viewers_that_break_keep_no_alert_from_being_sent(tmp_path, run, caplog):
    def tell(alert):
        raise ValueError("the viewers are gone")

    (tmp_path / "run-1").mkdir()
    alerter = Alerter(settings(tmp_path, log=a_file("alerts.txt")), tmp_path, tell)
    alerter(run.started(kind="run"))
    alerter(guard(good=False))
    alerter(RunEnded(1.8e9, "finished"))
    assert alerter.close() == []
    assert len((tmp_path / "alerts.txt").read_text().splitlines()) == 2
    assert "the viewers are gone" in caplog.text


def test_sinks_that_hang_do_not_keep_the_run(tmp_path, run, monkeypatch):
    sink = Blocked()
    monkeypatch.setattr("stm_daq.monitor.alerts.office.make_sinks", lambda settings: {"out": sink})
    (tmp_path / "run-1").mkdir()
    alerter = Alerter(settings(tmp_path, out=a_file("unused")), tmp_path, lambda alert: None)
    alerter(run.started(kind="run"))
    for site in range(1000):
        alerter(run.fit(site))
        alerter(guard(good=False))
    assert sink.taken == []  # it hangs all the time, and all records were taken
    left = alerter.close()
    assert [waiting.sink for waiting in left][:1] == ["out"]
    sink.go.set()


def about_annex(text):
    return Alert(1.8e9, "silence", "alarm", f"the annex: {text}", delivered=False)


def test_a_publisher_that_dies_is_missed_by_another_process(tmp_path, run):
    told = []
    rules = (RuleBlock(silence=SilenceBlock.model_construct(after=1.0)),)
    with Publisher(0) as publisher, connect(publisher.address, tick=0.1) as items:
        sinks = settings(tmp_path, rules, log=a_file("alerts.txt"))
        announcer = Announcer(sinks, tmp_path / "hub.db", lambda _, alert: told.append(alert))
        watch = SilenceWatch(announcer, [publisher.address])
        publisher.publish(run.started())
        for item in items:
            watch.hear(publisher.address, item)
            if isinstance(item, Message) and isinstance(item.body, RunStarted):
                publisher.close()  # without a word about the end of the run
            if told:
                break
    announcer("the annex", about_annex("speaks again"))
    assert announcer.close() == []
    assert "the annex: speaks again" in (tmp_path / "alerts.txt").read_text()
    assert f"{publisher.address} has been silent for " in told[0].text
    assert "look after the tip" in (tmp_path / "alerts.txt").read_text()


def test_a_hub_tells_later_what_it_has_held_back(tmp_path):
    rules = (RuleBlock(silence=SilenceBlock.model_construct(after=1.0)),)
    told = []
    sinks = settings(tmp_path, rules, 0.5, log=a_file("alerts.txt"))
    announcer = Announcer(sinks, None, lambda *what: told.append(what))
    silent = about_annex("silent for 31 s while it was running")
    announcer("the annex", silent)
    announcer("the annex", about_annex("speaks again"))
    file = tmp_path / "alerts.txt"
    assert wait_for(lambda: file.exists() and "speaks again" in file.read_text())
    assert announcer.close() == []
    assert len(file.read_text().splitlines()) == 2
    assert told[:1] == [("the annex", silent)]
    assert ("the annex", replace(silent, delivered=True)) in told


class SilentStation:
    """What the hub sees of a station that has died in a run."""

    name = "the annex"
    health = SimpleNamespace(stale=True, silent=31.0, state="running")

    def __init__(self):
        self.alerts = []
        self.alert = self.alerts.append


def test_the_hub_of_the_dashboard_sends_through_the_sinks_of_a_station(tmp_path):
    hub = pytest.importorskip("stm_daq.monitor.dashboard.hub")
    station = SilentStation()
    rules = (RuleBlock(silence=SilenceBlock.model_construct(after=1.0)),)
    sinks = settings(tmp_path, rules, log=a_file("alerts.txt"))
    announcer = Announcer(sinks, tmp_path / "new/hub.db", lambda _, alert: station.alert(alert))
    dead_man = hub.DeadMan([station], announcer)
    dead_man.look()
    dead_man.look()
    assert announcer.close() == []
    (line,) = (tmp_path / "alerts.txt").read_text().splitlines()
    assert "the annex: silent for 31 s while it was running" in line
    assert [alert.delivered for alert in station.alerts] == [False, False, True]
    assert len({(alert.time, alert.text) for alert in station.alerts}) == 1


def test_an_alert_is_sent_though_its_spool_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    office = PostOffice(settings(tmp_path, log=a_file("alerts.txt")), tmp_path / "file/alerts.db")
    office.post(letter(), None)
    assert office.close() == []
    assert "temperature is bad" in (tmp_path / "alerts.txt").read_text()


def test_a_dead_man_needs_a_rule(tmp_path):
    with pytest.raises(BadInputError, match="no rule about silence"):
        Announcer(settings(tmp_path), None)
