"use strict";
/* What the page does: it hears facts, asks questions, watches its own connection. */

(() => {
  const at = (id) => document.getElementById(id);
  const QUIET = 3000;  // ms without a word from the server (it speaks every second)
  const kept = sessionStorage;
  let heard = performance.now();
  let silent = 0;
  let stale = false;
  let asked = null;
  let number = 0;  // a question that is asked again must differ from the one before
  let leaving = false;

  const ask = (kind, more = {}) => {
    if (asked) asked.data = { json: [JSON.stringify({ kind, number: number++, ...more })] };
  };

  const hear = (facts) => {
    heard = performance.now();
    silent = facts.health.silent;
    stale = facts.health.stale;
    stmDaq.health(facts.health);
    if (facts.run) {
      stmDaq.run(facts.run, facts.choice);
      restore(facts.run);
    }
    for (const topic of ["progress", "site", "events", "alerts"]) {
      if (facts[topic]) stmDaq[topic](facts[topic]);
    }
    stmDaq.choice(facts.choice);
    if (facts.guards) document.body.dataset.guards = facts.guards.length ? "yes" : "no";
    if (facts.site && before === null) remember();
    if (facts.answer) answered(facts.answer);
    if (facts.link) stmDaq.toast(facts.link, false, 120);
    watch();
    // two frames later what was sent with these facts is on the screen
    requestAnimationFrame(() => requestAnimationFrame(() => {
      document.body.dataset.tick = facts.tick;
      document.body.dataset.drawn = document.body.dataset.site;
      document.dispatchEvent(new CustomEvent("drawn", { detail: facts }));
      ask("drawn", { tick: facts.tick });  // the next news wait for it
    }));
  };

  /* An order stays in sight from the click to the run's answer, and the answer until the next order. */
  const PATIENCE = 30000;  // ms; the dashboard itself gives up sooner
  let overdue = 0;

  const order = (state, text) => {
    if (!at("answer")) return;  // a viewer's page
    document.body.dataset.answer = state;
    at("answer").textContent = text;
    clearTimeout(overdue);
    if (state === "asked") {
      kept.setItem("order", text);
      overdue = setTimeout(() => order("unknown", `${text} no answer came: look at the state, and ask again`), PATIENCE);
    } else {
      kept.removeItem("order");
    }
  };

  const answered = (answer) => {
    const text = answer.text || (answer.accepted ? "done" : "no reason was given");
    if (answer.command) {
      order(answer.accepted ? "accepted" : "refused", `${answer.command}: ${answer.accepted ? "" : "not accepted: "}${text}`);
    }
    stmDaq.toast(text, !answer.accepted);
  };

  /* The connection: the run may be silent, or this page may have lost the server. */
  const watch = () => {
    const lost = (performance.now() - heard) / 1000;
    if (lost * 1000 > QUIET) {
      stmDaq.banner("lost", `Connection lost ${Math.round(lost)} s ago. What you see is old; trying again…`);
    } else if (stale) {
      stmDaq.banner("stale", `Stale: nothing has come from the run for ${Math.round(silent)} s.`);
    } else {
      stmDaq.banner("ok", "");
    }
  };

  const recover = async () => {
    if (leaving || performance.now() - heard < QUIET) return;
    try {
      const reply = await fetch("/alive", { cache: "no-store" });
      if (reply.status === 403) {
        stmDaq.banner("lost", "This page is no longer known to the dashboard: open a new link.");
      } else if (reply.ok && performance.now() - heard > QUIET) {
        leaving = true;
        location.reload();
      }
    } catch {
      watch();  // still away
    }
  };

  /* What was chosen outlives a reload: it is chosen again as soon as the same run is there. */
  let before = JSON.parse(kept.getItem(location.search) || "null");
  let run = "";

  const remember = () => {
    const { map, row, column, step, follow } = document.body.dataset;
    const cut = at("cut").value;
    kept.setItem(location.search, JSON.stringify({ run, map, row, column, step, follow, cut }));
  };

  const restore = ({ id, maps }) => {
    run = id;
    if (before && before.run === id) {
      if (!maps.length) return;  // nothing has been measured, or told, yet
      ask("map", { text: before.map });
      ask("cut", { text: before.cut });
      if (before.follow === "no" && before.row !== "") {
        ask("step", { step: Number(before.step) });
        ask("choose", { row: Number(before.row), column: Number(before.column) });
      }
    }
    before = null;
  };

  const theme = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    localStorage.setItem("theme", dark ? "dark" : "light");
    ask("theme", { text: dark ? "dark" : "light" });
  };
  const isDark = () => document.documentElement.dataset.theme === "dark";
  const wantsDark = () => (localStorage.getItem("theme")
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  /* Commands: what cannot be taken back is asked twice. */
  const questions = {
    stop: ["Stop after this spectrum?", "The spectrum is finished, the tip is parked, the run ends. It can be resumed.", false],
    abort: ["Abort now?", "The spectrum that is being measured is given up, the tip is parked, the run ends.", false],
    note: ["Note", "It is written into the journal of the run.", true],
  };

  const command = async (name) => {
    let argument = "";
    if (questions[name]) {
      const [title, text, input] = questions[name];
      at("ask-title").textContent = title;
      at("ask-text").textContent = text;
      at("ask-input").hidden = !input;
      at("ask-input").value = "";
      at("ask").returnValue = "";
      at("ask").showModal();
      await new Promise((done) => at("ask").addEventListener("close", done, { once: true }));
      argument = at("ask-input").value.trim();
      if (at("ask").returnValue !== "yes" || (input && !argument)) return;
    }
    if (performance.now() - heard > QUIET) {
      order("refused", `${name}: not sent, the connection is lost`);
      return;
    }
    order("asked", `${name}: asked…`);
    ask("command", { text: name, argument });
  };

  const next = (select) => {
    const usable = [...select.options].filter((option) => !option.disabled);
    const place = usable.findIndex((option) => option.value === select.value);
    return usable.length ? usable[(place + 1) % usable.length].value : "";  // none before there is a run
  };

  const keys = {
    ArrowLeft: () => ask("move", { column: -1 }),
    ArrowRight: () => ask("move", { column: 1 }),
    ArrowUp: () => ask("move", { row: 1 }),
    ArrowDown: () => ask("move", { row: -1 }),
    Escape: () => ask("follow"),
    f: () => ask("follow"),
    m: () => ask("map", { text: next(at("map")) }),
    c: () => ask("cut", { text: next(at("cut")) }),
    t: () => theme(!isDark()),
    "?": () => at("keys").showModal(),
  };

  const listen = () => {
    at("theme").onclick = () => theme(!isDark());
    at("help").onclick = () => at("keys").showModal();
    at("link").onclick = () => ask("link");
    at("follow").onclick = () => ask("follow");
    at("map").onchange = () => ask("map", { text: at("map").value });
    at("cut").onchange = () => ask("cut", { text: at("cut").value });
    at("step").oninput = () => ask("step", { step: Number(at("step").value) });
    at("ask-input").onkeydown = (event) => {
      if (event.key === "Enter") { event.preventDefault(); at("ask").close("yes"); }
    };
    for (const button of document.querySelectorAll("[data-command]")) {
      button.onclick = () => command(button.dataset.command);
    }
    document.addEventListener("keydown", (event) => {
      const busy = event.target.closest("input, select, dialog") || event.ctrlKey || event.altKey || event.metaKey;
      if (busy || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  };

  const begin = () => {
    const model = window.Bokeh?.documents[0];
    const told = model?.get_model_by_name("told");
    if (!told) {
      requestAnimationFrame(begin);
      return;
    }
    asked = model.get_model_by_name("asked");
    const tell = () => { if (told.data.json[0]) hear(JSON.parse(told.data.json[0])); };
    told.properties.data.change.connect(tell);
    tell();
    if (isDark()) theme(true);
    ask("ready");
    for (const button of document.querySelectorAll("[data-command]")) button.disabled = false;
    const left = kept.getItem("order");
    if (left) order("unknown", `${left} the page was loaded anew before the answer came: look at the state`);
    document.body.dataset.ready = "yes";
  };

  document.documentElement.dataset.theme = wantsDark() ? "dark" : "light";
  listen();
  begin();
  setInterval(() => { watch(); recover(); }, 1000);
})();
