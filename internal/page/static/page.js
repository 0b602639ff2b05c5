// An extra: every page works without it.
"use strict";

// Times in the viewer's zone; the exact UTC stays in the title.
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const second = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const whole = (text) => text.replace(/\s/g, "\u00a0"); // a line breaks between the day and the time alone
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.textContent = `${whole(day.format(at))}, ${whole((time.dataset.to === "second" ? second : minute).format(at))}`;
  }
}

// A run that goes on: how far it is, as the server tells it, at most once a second. When it has ended the page is loaded again.
const live = document.querySelector("[data-live]");
if (live) {
  const fill = (name, text, none) => { live.querySelector(`[data-of="${name}"]`).textContent = text || none; };
  const lost = live.querySelector("[data-lost]");
  const stream = new EventSource(live.dataset.live);
  stream.onopen = () => { lost.hidden = true; };
  stream.onerror = () => { lost.hidden = false; };
  stream.onmessage = (message) => {
    const run = JSON.parse(message.data);
    if (run.over) {
      stream.close();
      location.reload();
      return;
    }
    const status = document.querySelector("[data-status]");
    status.textContent = run.status;
    status.dataset.state = run.status;
    for (const name of ["stage", "rows", "requests", "rate"]) {
      fill(name, run[name], "–");
    }
    fill("left", run.left, "not known");
    fill("counts", run.counts.join(", "), "–");
    const bar = live.querySelector("progress");
    bar.max = run.total || 1;
    bar.value = run.total ? run.done : 0;
    const rows = run.last.map((row) => {
      const item = document.createElement("li");
      const key = document.createElement("bdi");
      key.textContent = row.key || "a row";
      const why = document.createElement("bdi");
      why.textContent = row.reason;
      item.append(key, ": ", row.outcome, ...(row.reason ? [", ", why] : []));
      return item;
    });
    live.querySelector(`[data-of="last"]`).replaceChildren(...rows);
    live.querySelector("[data-none]").hidden = rows.length > 0;
  };
}

// The numbers under the pointer, as the table of the plot has them: one row for each step.
for (const plot of document.querySelectorAll(".plot")) {
  const picture = plot.querySelector(".plot-picture");
  const rows = plot.querySelectorAll("tbody tr");
  if (!picture || !rows.length) {
    continue;
  }
  const names = [...plot.querySelectorAll("thead th")].slice(1).map((head) => head.textContent);
  const tip = document.createElement("p");
  tip.className = "plot-tip";
  tip.setAttribute("aria-hidden", "true"); // the table is for readers
  tip.hidden = true;
  picture.before(tip);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const row = rows[Math.min(rows.length - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * rows.length)))];
    const [when, ...cells] = [...row.children].map((cell) => cell.textContent.trim());
    tip.textContent = cells.length === names.length ? `${when}: ${cells.map((cell, i) => `${names[i]} ${cell}`).join(", ")}` : `${when}: ${cells.join(" ")}`;
    tip.hidden = false;
  });
  picture.addEventListener("pointerleave", () => { tip.hidden = true; });
}
