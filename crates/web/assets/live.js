// The live page of a run: reads the run's events, draws curves as they grow, moves the progress
// bar, appends the log, and shows the page of the finished run at the end. Without this script the
// page reloads itself and shows the same. Charts look as the server draws them (chart/line.rs).
"use strict";

(() => {
  const root = document.querySelector("[data-live]");
  if (!root || !window.EventSource) return;

  const SVG = "http://www.w3.org/2000/svg";
  const BOX = { width: 400, height: 250, left: 50, right: 388, top: 22, bottom: 210 };
  const COLOURS = 8;
  const DASHES = 4;
  // A line of more points looks no different; every second one is then dropped.
  const MAX_POINTS = 600;
  const DRAW_MS = 200;
  const RESULTS_MS = 1500;
  const RETRY_MS = 5000;

  const specs = new Map(); // series -> { unit, step, meaning }
  const charts = new Map(); // series and setting -> chart
  const methods = []; // in the order of their appearance: their place is their colour
  const log = root.querySelector('[data-role="log"]');
  const grid = document.createElement("div");
  grid.className = "charts";
  let logged = 0;
  let last = null; // id of the last event
  let drawTimer = null;
  let resultsTimer = null;

  const role = (name) => root.querySelector(`[data-role="${name}"]`);

  function element(parent, name, attributes, text) {
    const node = parent.namespaceURI === SVG || name === "svg"
      ? document.createElementNS(SVG, name)
      : document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  }

  // Numbers and axes

  function shown(value) {
    const size = Math.abs(value);
    const text = size === 0 ? "0"
      : size >= 1e6 || size < 1e-4 ? value.toExponential(1)
      : String(Number(value.toPrecision(6)));
    return text.replace("-", "\u2212");
  }

  function powerOfTen(exponent) {
    if (exponent === 0) return "1";
    if (exponent === 1) return "10";
    const raised = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
    const digits = String(exponent).replace("-", "\u207b").replace(/\d/g, (d) => raised[d]);
    return `10${digits}`;
  }

  function niceStep(rough) {
    const power = 10 ** Math.floor(Math.log10(rough));
    const leading = rough / power;
    return power * (leading <= 1.000001 ? 1 : leading <= 2.000001 ? 2 : leading <= 5.000001 ? 5 : 10);
  }

  function scale(low, high, from, to, round) {
    if (round && low > 0 && high / low > 1000) {
      const [a, b] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
      const place = (v) => from + ((Math.log10(v) - a) / (b - a)) * (to - from);
      const every = Math.floor((b - a) / 6) + 1;
      const ticks = [];
      for (let k = a; k <= b; k += every) ticks.push({ at: place(10 ** k), label: powerOfTen(k) });
      return { place, ticks, log: true };
    }
    if (!(high > low)) {
      const pad = low === 0 ? 1 : Math.abs(low) * 0.1;
      [low, high] = [low - pad, low + pad];
    }
    const step = niceStep((high - low) / 5);
    if (round) [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
    const place = (v) => from + ((v - low) / (high - low)) * (to - from);
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9; k++) {
      ticks.push({ at: place(k * step), label: shown(k * step) });
    }
    return { place, ticks, log: false };
  }

  // Charts

  function classOf(method) {
    if (!methods.includes(method)) methods.push(method);
    const order = methods.indexOf(method);
    return `c${order % COLOURS} d${(order + Math.floor(order / COLOURS)) % DASHES}`;
  }

  function chartOf(series, setting) {
    const key = JSON.stringify([series, setting]);
    let chart = charts.get(key);
    if (chart) return chart;
    const spec = specs.get(series) || { unit: "", step: "step", meaning: "" };
    const figure = element(grid, "figure", { class: "chart" });
    const caption = element(figure, "figcaption", {});
    element(caption, "span", { class: "name" }, series);
    caption.append(" ");
    element(caption, "span", { class: "setting" }, setting);
    if (spec.meaning) element(caption, "span", { class: "meaning" }, spec.meaning);
    const svg = element(figure, "svg", {
      class: "plot",
      viewBox: `0 0 ${BOX.width} ${BOX.height}`,
      role: "img",
      "aria-label": `${series}, ${setting}`,
    });
    const legend = element(figure, "ul", { class: "legend" });
    chart = { series, spec, svg, legend, curves: new Map(), changed: true };
    charts.set(key, chart);
    return chart;
  }

  function addPoint(event) {
    const chart = chartOf(event.series, event.setting);
    const key = JSON.stringify([event.method, event.seed]);
    let curve = chart.curves.get(key);
    if (!curve) {
      curve = { method: event.method, seed: event.seed, points: [] };
      classOf(event.method);
      chart.curves.set(key, curve);
    }
    curve.points.push([event.step, event.value]);
    if (curve.points.length > MAX_POINTS) {
      const end = curve.points.length - 1;
      curve.points = curve.points.filter((_, i) => i % 2 === 0 || i === end);
    }
    chart.changed = true;
    drawTimer ??= setTimeout(drawAll, DRAW_MS);
  }

  function drawAll() {
    drawTimer = null;
    // What the server drew is drawn again from the same events, and takes its place when it is there.
    if (!grid.isConnected) role("curves").replaceChildren(grid);
    for (const chart of charts.values()) {
      if (chart.changed) draw(chart);
      chart.changed = false;
    }
  }

  function path(points, x, y) {
    let data = "";
    let drawing = false;
    points.forEach(([step, value], i) => {
      const at = value === null ? NaN : y.place(value);
      if (!Number.isFinite(at)) {
        drawing = false;
        return;
      }
      data += `${drawing ? "L" : "M"}${x.place(step).toFixed(1)} ${at.toFixed(1)}`;
      const next = points[i + 1];
      const ends = !next || next[1] === null || !Number.isFinite(y.place(next[1]));
      if (!drawing && ends) data += "h0";
      drawing = true;
    });
    return data;
  }

  // At the steps that all seeds have reported so far.
  function mean(curves) {
    const sums = new Map();
    for (const curve of curves) {
      for (const [step, value] of curve.points) {
        const at = sums.get(step) || { n: 0, sum: 0, gap: false };
        at.n += 1;
        if (value === null) at.gap = true;
        else at.sum += value;
        sums.set(step, at);
      }
    }
    return [...sums]
      .filter(([, at]) => at.n === curves.length)
      .sort((a, b) => a[0] - b[0])
      .map(([step, at]) => [step, at.gap ? null : at.sum / at.n]);
  }

  function draw(chart) {
    const curves = [...chart.curves.values()];
    let [first, end, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const curve of curves) {
      for (const [step, value] of curve.points) {
        first = Math.min(first, step);
        end = Math.max(end, step);
        if (value !== null) {
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
      }
    }
    if (low > high) [low, high] = [0, 1];
    const x = scale(first, end, BOX.left, BOX.right, false);
    const y = scale(low, high, BOX.bottom, BOX.top, true);
    chart.svg.replaceChildren();
    drawAxes(chart, x, y);
    const names = methods.filter((m) => curves.some((c) => c.method === m));
    for (const name of names) {
      const own = curves.filter((c) => c.method === name);
      const group = element(chart.svg, "g", { class: `line ${classOf(name)}` });
      if (own.length > 1) {
        for (const curve of own) element(group, "path", { class: "seed", d: path(curve.points, x, y) });
      }
      element(group, "path", { class: "mean", d: path(mean(own), x, y) });
    }
    drawLegend(chart, names);
  }

  function drawAxes(chart, x, y) {
    const grid = element(chart.svg, "g", { class: "grid" });
    const axis = element(chart.svg, "g", { class: "axis" });
    element(axis, "path", { d: `M${BOX.left} ${BOX.bottom}H${BOX.right}` });
    for (const tick of x.ticks) {
      element(axis, "path", { d: `M${tick.at} ${BOX.bottom}v4` });
      element(axis, "text", { class: "x", x: tick.at, y: BOX.bottom + 17 }, tick.label);
    }
    for (const tick of y.ticks) {
      element(grid, "path", { d: `M${BOX.left} ${tick.at}H${BOX.right}` });
      element(axis, "text", { class: "y", x: BOX.left - 7, y: tick.at + 4 }, tick.label);
    }
    const { spec } = chart;
    const name = chart.series.split("/").pop();
    const label = name + (spec.unit ? ` (${spec.unit})` : "") + (y.log ? ", log scale" : "");
    element(axis, "text", { class: "label end", x: BOX.right, y: BOX.height - 6 }, spec.step);
    element(axis, "text", { class: "label", x: 2, y: 10 }, label);
  }

  function drawLegend(chart, names) {
    if (names.length < 2 || chart.legend.childElementCount === names.length) return;
    chart.legend.replaceChildren();
    for (const name of names) {
      const item = element(chart.legend, "li", {});
      const swatch = element(item, "svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" });
      element(swatch, "path", { class: `mean ${classOf(name)}`, d: "M1 4H25" });
      item.append(name);
    }
  }

  // Status, log, results

  function setProgress({ done, total }) {
    const percent = total > 0 ? Math.floor((100 * Math.min(done, total)) / total) : 0;
    const bar = role("progress");
    if (bar) bar.value = percent;
    const words = role("status");
    // Every per cent would be read aloud: every tenth is enough.
    if (words && total > 0 && (percent % 10 === 0 || !/\d/.test(words.textContent))) {
      words.textContent = `${percent} % done.`;
    }
  }

  function setState({ state }) {
    const badge = root.querySelector('[data-role="state"] .badge > span');
    if (badge) badge.textContent = state;
    const words = role("status");
    if (words && state === "running" && !/\d/.test(words.textContent)) words.textContent = "Preparing.";
  }

  function addLog({ text }) {
    if (!log) return;
    if (logged === 0) log.replaceChildren();
    logged += 1;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    element(log, "li", {}, text);
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  async function page() {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  // Tables of results are the server's: fetched again, not too often, when there are new ones.
  function refreshResults() {
    resultsTimer ??= setTimeout(async () => {
      try {
        const fresh = (await page()).querySelector('[data-role="results"]');
        const old = role("results");
        if (fresh && old) old.replaceWith(document.importNode(fresh, true));
      } catch {
        // The next result, or the end of the run, tries again.
      }
      resultsTimer = null;
    }, RESULTS_MS);
  }

  async function finish() {
    clearTimeout(resultsTimer);
    try {
      const fresh = (await page()).querySelector("#run");
      root.replaceWith(document.importNode(fresh, true));
    } catch {
      location.reload();
    }
  }

  const handlers = {
    started: (event) => event.series.forEach((s) => specs.set(s.name, s)),
    progress: setProgress,
    state: setState,
    point: addPoint,
    log: addLog,
    result: refreshResults,
    tuning: refreshResults,
    data: refreshResults,
  };

  function connect() {
    const from = last === null ? "" : `?after=${last}`;
    const source = new EventSource(root.dataset.live + from);
    for (const name in handlers) {
      source.addEventListener(name, (message) => {
        if (message.lastEventId) last = message.lastEventId;
        handlers[name](JSON.parse(message.data));
      });
    }
    source.addEventListener("end", () => {
      source.close();
      finish();
    });
    source.addEventListener("error", () => {
      // The browser resumes by itself unless the server refused; then we come back later.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
    });
  }

  connect();
})();
