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

// What can be unfolded, by its id or key; of equal keys each by its place among them.
function foldable() {
  const found = new Map(), count = new Map();
  for (const details of document.querySelectorAll("details[id], details[data-key]")) {
    const key = details.id || details.dataset.key, place = count.get(key) || 0;
    count.set(key, place + 1);
    found.set(`${key} ${place}`, details);
  }
  return found;
}

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  let before = new Map(), focused;  // a renewed page stays as its reader has left it
  document.body.addEventListener("htmx:beforeSwap", () => {
    const summary = document.activeElement?.closest("summary");
    before = new Map();
    focused = undefined;
    for (const [key, details] of foldable()) {
      before.set(key, details.open);
      if (summary && summary.parentElement === details) focused = key;
    }
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    localTimes(event.target);
    for (const [key, details] of foldable()) {
      if (before.has(key)) details.open = before.get(key);
      if (key === focused && document.activeElement === document.body) {
        details.querySelector("summary").focus({preventScroll: true});
      }
    }
  });
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
