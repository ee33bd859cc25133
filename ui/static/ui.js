// Times in the reader's zone, and pages that are renewed while somebody looks at them.
"use strict";

const parts = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });  // 2026-03-01 06:15
const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });

function zoned(moment) {
  const name = zone.formatToParts(moment).find((part) => part.type === "timeZoneName");
  return `${parts.format(moment)} ${name ? name.value : ""}`.trim();
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const text = zoned(moment);
    if ("ago" in time.dataset) time.title = text;
    else time.textContent = text;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  document.body.addEventListener("htmx:afterSettle", (event) => localTimes(event.target));
  const renew = () => document.body.dispatchEvent(new CustomEvent("renew"));
  let passed = 0;
  setInterval(() => {
    passed += 1;
    const due = document.querySelector("[data-soon]") ? 1 : 15;  // seconds
    const busy = document.activeElement?.closest("form") || document.querySelector("details[open] form");
    if (passed >= due && document.visibilityState === "visible" && !busy) {
      passed = 0;
      renew();
    }
  }, 1000);
});
