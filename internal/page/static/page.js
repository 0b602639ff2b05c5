// An extra: every page works without it.
"use strict";

// Times in the viewer's zone; the exact UTC stays in the title.
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.textContent = short.format(at);
  }
}
