"use strict";
/* The overview asks for the states of all stations every second. */

(() => {
  const at = (id) => document.getElementById(id);
  const moods = { running: "good", finished: "good", failed: "bad" };
  let heard = performance.now();

  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const card = (station) => {
    const link = element("a", "card station");
    link.href = station.href;
    link.dataset.state = station.stale ? "stale" : station.state;
    const title = element("h2", "", station.name);
    const state = station.state === "unheard" ? "nobody answers yet" : station.state;
    const mood = station.stale ? "bad" : (moods[station.state] || "warn");
    title.append(element("span", "spacer"), element("span", `pill ${mood}`,
      station.stale ? `silent ${Math.round(station.silent)} s` : state));
    link.append(title, element("p", "", [station.run, station.sample].filter(Boolean).join(" · ")
      || "no run yet"));
    const { done, total, finish } = station.progress;
    if (total) {
      const bar = element("div", "bar");
      const filled = element("div", "");
      filled.style.width = `${100 * done / total}%`;
      bar.append(filled);
      link.append(bar, element("p", "", `${done} of ${total} spectra${finish ? ", done " + finish : ""}`));
    }
    if (station.alerts) link.append(element("p", "", `${station.alerts} alerts`));
    return link;
  };

  const look = async () => {
    try {
      const reply = await fetch("/stations", { cache: "no-store" });
      if (!reply.ok) throw new Error(reply.status);
      const { stations } = await reply.json();
      heard = performance.now();
      at("stations").replaceChildren(...stations.map(card));
      document.body.dataset.stations = stations.length;
    } catch {
      document.body.dataset.link = "lost";
    }
    const lost = Math.round((performance.now() - heard) / 1000);
    document.body.dataset.link = lost > 3 ? "lost" : "ok";
    at("banner").hidden = lost <= 3;
    at("banner").className = "bad";
    at("banner").textContent = `Connection lost ${lost} s ago. What you see is old; trying again…`;
    setTimeout(look, 1000);
  };

  const theme = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    localStorage.setItem("theme", dark ? "dark" : "light");
  };

  const kept = localStorage.getItem("theme");
  theme(kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  at("theme").onclick = () => theme(document.documentElement.dataset.theme !== "dark");
  look();
})();
