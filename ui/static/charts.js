// Performance over time: zoom by drag, values under the cursor, and the same by the keyboard. Without this script the
// picture of the server stays.
"use strict";

(() => {
  const ROW = 20, HEIGHT = 300, DAY = 86400, BREAK = 6;  // times the usual step
  const dated = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
  const DATES = [
    [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
    [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  ];
  const charts = new Map();  // by the id of their data: {text, plot, range}

  const figure = (value) => value === null || value === undefined ? null : Number(value.toPrecision(4)).toString();

  // A colour as the style sheet has it in the light or dark that holds now.
  function colour(legend, selector, property) {
    const found = legend.querySelector(selector);
    return found ? getComputedStyle(found)[property] : "gray";
  }

  function marksOf(legend, data) {
    return data.marks.map((row) => {
      const item = [...legend.querySelectorAll("[data-kind]")].find((li) => li.dataset.kind === row.kind);
      const svg = item.querySelector("svg"), path = item.querySelector("path");
      return {...row, path: new Path2D(path.getAttribute("d")), line: svg.classList.contains("line"),
        colour: getComputedStyle(svg).color};
    });
  }

  function drawMarks(u, rows) {
    const context = u.ctx, ratio = devicePixelRatio, box = u.bbox;
    context.save();
    context.beginPath();
    context.rect(box.left - 8 * ratio, box.top, box.width + 16 * ratio, box.height);
    context.clip();
    rows.forEach((row, place) => {
      const middle = box.top + box.height - (rows.length - place - .5) * ROW * ratio;
      context.fillStyle = context.strokeStyle = row.colour;
      context.lineWidth = 2;
      for (const [from, to] of row.spans) {
        const begin = u.valToPos(from, "x", true), end = u.valToPos(to, "x", true);
        if (end - begin > 12 * ratio) {
          context.fillRect(begin, middle - 2 * ratio, end - begin, 4 * ratio);
          continue;
        }
        context.save();
        context.translate((begin + end) / 2 - 6 * ratio, middle - 6 * ratio);
        context.scale(ratio, ratio);
        if (row.line) context.stroke(row.path); else context.fill(row.path);
        context.restore();
      }
    });
    context.restore();
  }

  function drawBacktest(u, period, fill) {
    if (!period) return;
    const [begin, end] = period.map((at) => u.valToPos(at, "x", true)), box = u.bbox;
    const left = Math.max(begin, box.left), right = Math.min(end, box.left + box.width);
    if (right <= left) return;
    u.ctx.save();
    u.ctx.globalAlpha = .14;
    u.ctx.fillStyle = fill;
    u.ctx.fillRect(left, box.top, right - left, box.height);
    u.ctx.restore();
  }

  // A line goes on where only another series has no value, and breaks where for long nothing is known.
  function breaks(u, series, first, last) {
    const times = u.data[0], values = u.data[series], found = [];
    const known = [];
    for (let place = first; place <= last; place++) if (values[place] !== null) known.push(times[place]);
    const steps = known.slice(1).map((time, place) => time - known[place]);
    const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)];
    steps.forEach((step, place) => {
      if (step > BREAK * usual) found.push([u.valToPos(known[place], "x", true), u.valToPos(known[place + 1], "x", true)]);
    });
    return found;
  }

  // A single value, through which no line goes, is a dot.
  const lone = (values) => ({show: values.filter((value) => value !== null).length === 1, size: 6});

  function near(u, rows, at) {
    const scale = u.scales.x, reach = (scale.max - scale.min) / u.width * 8;
    return rows.flatMap((row) => row.spans
      .filter(([from, to]) => at >= from - reach && at <= to + reach)
      .map(([, , what]) => `${row.kind}: ${what}`));
  }

  function told(u, data, rows, place) {
    const at = data.times[place], words = [];
    if (data.realised[place] !== null) {
      const reach = data.low[place] === null ? "" : ` [${figure(data.low[place])}, ${figure(data.high[place])}]`;
      words.push(`realised ${figure(data.realised[place])}${reach}`);
    }
    if (data.estimated[place] !== null) words.push(`estimated ${figure(data.estimated[place])}`);
    if (data.baseline[place] !== null) words.push(`baseline ${figure(data.baseline[place])}`);
    const happened = near(u, rows, at);
    return `${dated.format(new Date(at * 1000))}: ${words.join(", ")}${happened.length ? `. ${happened.join("; ")}` : ""}`;
  }

  function options(place, data, legend, rows, width) {
    const css = getComputedStyle(place), quiet = colour(legend, "li", "color");
    const realised = colour(legend, ".line.realised", "stroke"), grid = css.getPropertyValue("--line");
    const probe = document.createElement("i");
    probe.style.color = "var(--grid)";
    place.append(probe);
    const lines = getComputedStyle(probe).color || grid;
    probe.remove();
    const strip = rows.length * ROW + (rows.length ? 8 : 0), high = HEIGHT + strip;
    const axis = {stroke: quiet, grid: {stroke: lines, width: 1}, ticks: {stroke: lines, width: 1}, font: "12px system-ui, sans-serif"};
    let least = -Infinity;
    return {
      width, height: high, legend: {show: false}, padding: [8, 22, 0, 0],
      cursor: {drag: {x: true, y: false, dist: 6}, y: false, points: {size: 8}},
      scales: {
        y: {range: (u, low, top) => {
          if (low === null) return [0, 1];
          const room = (top - low) * .06 || Math.abs(top) * .05 || 1;
          const within = HEIGHT - 50, size = (top - low + 2 * room) / within;
          least = low - room;
          return [least - strip * size, top + room];
        }},
      },
      axes: [{...axis, values: DATES}, {...axis, size: 62, splits: undefined, values: (u, ticks) => ticks.map((tick) => tick < least ? "" : figure(tick))}],
      series: [
        {},
        {label: "high", stroke: "transparent", points: {show: false}, spanGaps: false, gaps: breaks},
        {label: "low", stroke: "transparent", points: {show: false}, spanGaps: false, gaps: breaks},
        {label: "baseline", stroke: colour(legend, ".line.baseline", "stroke"), width: 1.5, dash: [8, 4], points: lone(data.baseline),
          spanGaps: false, gaps: breaks, paths: uPlot.paths.stepped({align: 1})},
        {label: "estimated", stroke: colour(legend, ".line.estimated", "stroke"), width: 2, dash: [2, 4], cap: "round",
          points: lone(data.estimated), spanGaps: false, gaps: breaks},
        {label: "realised", stroke: realised, width: 2, spanGaps: false, gaps: breaks, points: {size: 6, fill: realised}},
      ],
      bands: [{series: [1, 2], fill: realised.replace("rgb(", "rgba(").replace(")", ", 0.18)")}],
      hooks: {
        drawClear: [(u) => drawBacktest(u, data.backtest, quiet)],
        draw: [(u) => drawMarks(u, rows)],
      },
    };
  }

  function build(place) {
    const id = place.dataset.chart, source = document.getElementById(id), legend = document.getElementById(`${id}-legend`);
    const before = charts.get(id);
    if (!source || !legend || (before && before.text === source.textContent && place.contains(before.plot.root))) return;
    const data = JSON.parse(source.textContent), rows = marksOf(legend, data), range = before ? before.range : null;
    if (before) before.plot.destroy();
    place.replaceChildren();
    for (const name of ["tabindex", "role", "aria-label"]) place.removeAttribute(name);  // the chart has its own
    const tools = document.createElement("div"), canvas = document.createElement("div"), output = document.createElement("output");
    tools.className = "tools";
    place.append(tools, canvas, output);
    const hint = matchMedia("(hover: hover)").matches
      ? "Point at the chart for its values; drag to zoom, double-click for the whole time. Arrow keys move along it."
      : "Touch the chart for its values.";
    output.textContent = hint;

    const chart = {text: source.textContent, range, plot: null};
    const settings = options(place, data, legend, rows, Math.max(place.clientWidth, 280));
    settings.hooks.setCursor = [(u) => {
      if (u.cursor.idx !== null && u.cursor.idx !== undefined) output.textContent = told(u, data, rows, u.cursor.idx);
    }];
    const all = [data.times[0], data.times[data.times.length - 1]];
    settings.hooks.setScale = [(u, key) => {
      if (key !== "x") return;
      const {min, max} = u.scales.x, whole = min <= all[0] && max >= all[1];
      chart.range = whole ? null : [min, max];
      place.dataset.shown = Math.round(max - min);
      for (const button of tools.children) button.setAttribute("aria-pressed", String(pressed(button, min, max, whole)));
    }];
    const values = [data.times, data.high, data.low, data.baseline, data.estimated, data.realised];
    chart.plot = new uPlot(settings, values, canvas);
    charts.set(id, chart);

    const show = (from, to) => chart.plot.setScale("x", {min: from, max: to});
    const pressed = (button, min, max, whole) => button.dataset.days === "all" ? whole
      : !whole && Math.abs(max - all[1]) < 1 && Math.abs(max - min - button.dataset.days * DAY) < 1;
    for (const [days, words] of [["all", "whole time"], [365, "1 year"], [90, "90 days"], [30, "30 days"]]) {
      if (days !== "all" && all[1] - all[0] <= days * DAY) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.dataset.days = days;
      button.addEventListener("click", () => days === "all" ? show(...all) : show(all[1] - days * DAY, all[1]));
      tools.append(button);
    }
    if (tools.children.length < 2) tools.remove();
    keyboard(canvas, chart, data, all, show);
    canvas.setAttribute("aria-label", `Chart of ${data.metric} over time. Arrow keys move through its values, plus and minus zoom, Escape shows the whole time.`);
    if (range) show(...range); else show(...all);
  }

  function keyboard(canvas, chart, data, all, show) {
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    let at = data.times.length - 1;
    const move = (place) => {
      at = Math.min(Math.max(place, 0), data.times.length - 1);
      const u = chart.plot, scale = u.scales.x, time = data.times[at];
      if (time < scale.min || time > scale.max) {
        const half = (scale.max - scale.min) / 2;
        show(time - half, time + half);
      }
      u.setCursor({left: u.valToPos(time, "x"), top: 10});
    };
    const zoom = (factor) => {
      const {min, max} = chart.plot.scales.x, middle = data.times[at], half = (max - min) * factor / 2;
      show(Math.max(middle - half, all[0]), Math.min(middle + half, all[1]));
    };
    const page = Math.max(Math.round(data.times.length / 20), 1);
    const keys = {
      ArrowLeft: () => move(at - 1), ArrowRight: () => move(at + 1), PageUp: () => move(at - page), PageDown: () => move(at + page),
      Home: () => move(0), End: () => move(data.times.length - 1), "+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2),
      Escape: () => show(...all),
    };
    canvas.addEventListener("keydown", (event) => {
      const act = keys[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && move(at));
  }

  function all() {
    if (typeof uPlot === "undefined") return;
    for (const place of document.querySelectorAll("[data-chart]")) build(place);
  }

  function again() {
    for (const [id, chart] of charts) {
      chart.text = "";
      if (!document.getElementById(id)) charts.delete(id);
    }
    all();
  }

  document.addEventListener("DOMContentLoaded", () => {
    all();
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;  // a phone's bar that comes and goes
      width = innerWidth;
      for (const [id, chart] of charts) {
        const place = document.querySelector(`[data-chart="${id}"]`);
        if (place) chart.plot.setSize({width: Math.max(place.clientWidth, 280), height: chart.plot.height});
      }
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    document.body.addEventListener("htmx:afterSettle", all);
  });
})();
