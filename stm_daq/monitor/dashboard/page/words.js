"use strict";
/* Everything that is said in words. What came from the run is only ever set as text. */

const stmDaq = {};

(() => {
  const at = (id) => document.getElementById(id);

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const rows = (table, pairs) => {
    table.replaceChildren(...pairs.map(([left, right]) => {
      const row = element("tr");
      row.append(element("td", left), element("td", right));
      return row;
    }));
  };

  const options = (select, pairs, chosen) => {
    const known = [...select.options].map((option) => option.value).join();
    if (known !== pairs.map(([value]) => value).join()) {
      select.replaceChildren(...pairs.map(([value, text]) => {
        const option = element("option", text);
        option.value = value;
        return option;
      }));
    }
    select.value = chosen;
  };

  const moods = { running: "good", finished: "good", failed: "bad", unheard: "warn", waiting: "",
    paused: "warn", stopped: "warn", stopping: "warn", "not ended": "warn" };

  stmDaq.mood = (state) => moods[state] || "";

  stmDaq.health = (health) => {
    const pill = at("state");
    const text = health.state === "unheard" ? "nobody answers yet" : health.state;
    pill.textContent = health.stale ? `stale (was ${text})` : text;
    pill.className = `pill ${health.stale ? "bad" : stmDaq.mood(health.state)}`;
    pill.title = health.lost ? `${health.lost} messages lost; the journal has everything` : health.text;
    document.body.dataset.state = health.state;
    at("reason").textContent = health.text;
    at("notes").textContent = (health.notes || []).join(" · ");
  };

  stmDaq.run = (run, choice) => {
    document.body.dataset.empty = run.name ? "no" : "yes";
    document.title = `${run.name} – stm_daq`;
    at("name").textContent = run.name;
    at("about").textContent = [run.kind, run.sample, run.where, run.begun].filter(Boolean).join(" · ");
    at("card-topograph").hidden = !run.topograph;
    document.body.dataset.topograph = run.topograph ? "yes" : "no";
    options(at("map"), run.maps, choice.map);
    for (const option of at("cut").options) {
      option.hidden = option.disabled = (option.value === "steps" && run.steps.length < 2)
        || (option.value === "column" && run.shape[0] < 2);
    }
    stmDaq.stepNames = run.steps;
    stmDaq.isGrid = run.grid;
    at("steps").hidden = run.steps.length < 2;
    at("step").max = Math.max(run.steps.length - 1, 0);
  };

  stmDaq.choice = (choice) => {
    at("map").value = choice.map;
    at("cut").value = choice.cut;
    at("step").value = choice.step;
    at("step-text").textContent = (stmDaq.stepNames || [])[choice.step] || "";
    at("follow").hidden = choice.follow;
    Object.assign(document.body.dataset, { map: choice.map, step: choice.step,
      follow: choice.follow ? "yes" : "no" });
  };

  stmDaq.progress = (progress) => {
    const share = progress.total ? progress.done / progress.total : 0;
    at("bar").style.width = `${100 * share}%`;
    at("done").textContent = progress.total
      ? `${progress.done} of ${progress.total} spectra (${Math.floor(100 * share)} %)` : "";
    at("rate").textContent = progress.rate || "";
    const ended = ["finished", "stopped", "failed"].includes(document.body.dataset.state);
    at("finish").textContent = progress.finish ? `${ended ? "ended" : "done"} ${progress.finish}` : "";
    document.body.dataset.done = progress.done;
  };

  stmDaq.site = (site) => {
    const place = site.row === undefined ? "" : (stmDaq.isGrid
      ? `row ${site.row}, column ${site.column}` : `site ${site.column}`);
    at("place").textContent = site.there || !place ? place : `${place}: ${site.missing}`;
    rows(at("details"), site.details || []);
    const fit = site.fit || { there: false };
    rows(at("fit"), fit.values || []);
    const verdict = at("verdict");
    verdict.textContent = !fit.there ? (site.there ? "no fit" : "") : (fit.ok ? "good" : "not to be trusted");
    verdict.className = `pill ${!fit.there ? "" : (fit.ok ? "good" : "bad")}`;
    const flags = [...new Set([...(site.flags || []), ...(fit.flags || [])])];
    at("flags").textContent = flags.join(", ");
    Object.assign(document.body.dataset, { row: site.row ?? "", column: site.column ?? "",
      site: site.there ? site.index : "", attempt: site.there ? site.attempt : "" });
  };

  stmDaq.events = (events) => {
    if (!events.length) {
      at("events").replaceChildren(element("li", "Nothing was noted so far."));
      return;
    }
    at("events").replaceChildren(...events.map((event) => {
      const item = element("li", undefined, event.level);
      item.append(element("time", event.time), element("b", event.kind), element("span", event.text));
      return item;
    }));
  };

  stmDaq.alerts = (alerts) => {
    at("alerts").hidden = alerts.length === 0;
    at("alerts").querySelector("ul").replaceChildren(...alerts.map((alert) => {
      const item = element("li", undefined, alert.sent ? "" : "unsent");
      item.append(element("time", alert.time), element("span", alert.text));
      return item;
    }));
  };

  let vanishing = 0;
  stmDaq.toast = (text, bad, seconds = 6) => {
    const toast = at("toast");
    toast.textContent = text;
    toast.className = bad ? "bad" : "";
    toast.hidden = false;
    clearTimeout(vanishing);
    vanishing = setTimeout(() => { toast.hidden = true; }, 1000 * seconds);
  };

  stmDaq.banner = (link, text) => {
    document.body.dataset.link = link;
    const banner = at("banner");
    banner.hidden = !text;
    banner.className = link === "lost" ? "bad" : "";
    if (banner.textContent !== text) banner.textContent = text;
  };

  stmDaq.element = element;
})();
