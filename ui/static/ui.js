// Times in the reader's zone, and pages that are renewed while somebody looks at them.
"use strict";

const zoned = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const text = zoned.format(moment);
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
