// The JSON of dashboard/ecg_payload.py comes in; ECG paper as one SVG goes out. ecg_caliper.js lets the reader measure on
// it, ecg_print.js brings it onto A4: both are joined to this file on loading, because Streamlit takes one script.
// Text of a patient only ever passes through textContent and setAttribute, never through markup.
const GAP = -32768;
const LEFT_MM = 10; // pulse, then the first second begins on a large square
const RIGHT_MM = 5;
const TOP_MM = 5;
const RULER_MM = 5;
const STRIP_MM = 1.5; // attention along the bottom of a row
const seen = new WeakMap(); // paper element -> { identity, layout, caliper, marching, sent, window }

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const paper = parentElement.querySelector(".ecg-paper");
  if (!paper || !data) return;
  // What Python holds of a paper mounted anew is not known here (undefined), so that Escape tells it once.
  const before = seen.get(paper) ?? { sent: undefined, window: undefined };
  const sameRecord = before.identity === data.identity;
  const kept = sameRecord && before.layout === data.layout;
  const state = kept ? before : { ...before, caliper: null, marching: false };
  Object.assign(state, { identity: data.identity, layout: data.layout });
  seen.set(paper, state);
  if (!kept) forget(state, setStateValue, sameRecord ? ["sent"] : ["sent", "window"]);

  const sheet = measureSheet(data);
  const svg = drawSheet(data, sheet);
  const scroll = html("div", { class: "ecg-scroll", tabindex: "-1" });
  const scrolled = kept ? paper.querySelector(".ecg-scroll")?.scrollLeft ?? 0 : 0;
  scroll.append(svg);
  nameSheet(paper, data, sheet);
  paper.replaceChildren(scroll);
  const host = parentElement.querySelector(".ecg-host");
  host.querySelector(".ecg-foot").replaceChildren(...footerParts(data, sheet));
  drawPrint(host, data, sheet, svg);
  scroll.scrollLeft = scrolled;
  const root = paper.getRootNode();
  if (root instanceof ShadowRoot) root.host.setAttribute("data-drawn", data.stamp);
  listen({ data, sheet, svg, scroll, paper, state, setStateValue, host });
}

// ---- scale: millimetres, seconds and millivolts to pixels -------------------------------------------------------

function measureSheet(data) {
  const mm = data.px_per_mm;
  const duration = data.sig_len / data.fs;
  const perSecond = data.speed * mm;
  const x0 = LEFT_MM * mm;
  let top = TOP_MM * mm;
  const rows = data.rows.map((row) => {
    const placed = {
      top,
      zero: top + row.above_mm * mm,
      bottom: top + (row.above_mm + row.below_mm) * mm,
      segments: row.segments,
    };
    top = placed.bottom;
    return placed;
  });
  const widthMm = LEFT_MM + Math.ceil((duration * data.speed + RIGHT_MM) / 5) * 5;
  return {
    mm, duration, perSecond, rows, x0,
    perMv: data.gain * mm,
    width: widthMm * mm,
    height: top + RULER_MM * mm,
    bottom: top,
    x: (seconds) => x0 + seconds * perSecond,
    seconds: (x) => Math.min(Math.max((x - x0) / perSecond, 0), duration),
  };
}

// ---- elements ----------------------------------------------------------------------------------------------------

function svgElement(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function html(tag, attributes, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// Microvolts of all leads from their steps: an int8, or -128 and an int16 after it. The sum wraps as the steps did.
function samplesOf(data) {
  const coded = new DataView(bytes(data.steps).buffer);
  const samples = new Int16Array(data.leads.length * data.sig_len);
  for (let i = 0, at = 0; i < samples.length; i++) {
    let step = coded.getInt8(at++);
    if (step === -128) {
      step = coded.getInt16(at, true);
      at += 2;
    }
    samples[i] = (i ? samples[i - 1] : 0) + step;
  }
  return samples;
}

// ---- the drawing, from the paper upwards -------------------------------------------------------------------------

function drawSheet(data, sheet) {
  const size = { width: sheet.width, height: sheet.height };
  const svg = svgElement("svg", { ...size, viewBox: `0 0 ${sheet.width} ${sheet.height}`, "aria-hidden": "true" });
  const under = svgElement("g", {});
  const traces = svgElement("g", {});
  const over = svgElement("g", {});
  const all = svgElement("g", { class: "all" });
  all.append(drawGrid(sheet), under, traces, over, svgElement("g", { class: "caliper" }));
  svg.append(all);
  if (data.saliency) drawSaliency(under, data, sheet);
  if (data.highlight) drawHighlight(under, data.highlight, sheet);
  if (data.attention) drawAttention(under, data.attention, sheet);
  const samples = samplesOf(data);
  const clipId = `ecg-row-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  sheet.rows.forEach((row, number) => {
    const clip = svgElement("clipPath", { id: `${clipId}-${number}` });
    clip.append(svgElement("rect", { x: 0, y: row.top, width: sheet.width, height: row.bottom - row.top }));
    const group = svgElement("g", { "clip-path": `url(#${clipId}-${number})` });
    traces.append(clip, group);
    drawPulse(over, row, number, sheet);
    row.segments.forEach((segment, column) => {
      group.append(drawTrace(samples, data, segment, row, sheet));
      drawLabel(over, data, segment, row, sheet);
      if (column > 0) {
        const x = sheet.x(segment.i0 / data.fs);
        const half = 2.5 * sheet.mm;
        over.append(svgElement("line", { class: "separator", x1: x, x2: x, y1: row.zero - half, y2: row.zero + half }));
      }
    });
  });
  drawSeconds(over, data, sheet);
  return svg;
}

function drawGrid(sheet) {
  const lines = (stepMm, skipMm) => {
    let d = "";
    for (let mm = 0; mm * sheet.mm <= sheet.width + 1e-6; mm += stepMm)
      if (!skipMm || mm % skipMm) d += `M${mm * sheet.mm} 0V${sheet.height}`;
    for (let mm = 0; mm * sheet.mm <= sheet.height + 1e-6; mm += stepMm)
      if (!skipMm || mm % skipMm) d += `M0 ${mm * sheet.mm}H${sheet.width}`;
    return d;
  };
  const grid = svgElement("g", {});
  const size = { width: sheet.width, height: sheet.height };
  grid.append(svgElement("rect", { "data-testid": "ecg-grid", fill: "transparent", ...size }));
  grid.append(svgElement("path", { class: "grid-minor", d: lines(1, 5) }));
  grid.append(svgElement("path", { class: "grid-major", d: lines(5) }));
  return grid;
}

function drawPulse(group, row, number, sheet) {
  const mm = sheet.mm;
  const foot = `M${mm} ${row.zero}h${mm}M${7 * mm} ${row.zero}h${mm}`;
  group.append(svgElement("path", { class: "foot", d: foot }));
  const pulse = svgElement("path", {
    class: "pulse",
    d: `M${2 * mm} ${row.zero}v${-sheet.perMv}h${5 * mm}v${sheet.perMv}`,
  });
  if (number === 0) pulse.setAttribute("data-testid", "cal-pulse");
  group.append(pulse);
}

function drawTrace(samples, data, segment, row, sheet) {
  const offset = segment.lead * data.sig_len;
  // Up to and with the next segment's first sample: consecutive windows meet without a gap.
  const last = Math.min(segment.i1, data.sig_len - 1);
  const perMicrovolt = ((segment.inverted ? -1 : 1) * sheet.perMv) / 1000;
  let d = "";
  let pen = "M";
  for (let i = segment.i0; i <= last; i++) {
    const microvolts = samples[offset + i];
    if (microvolts === GAP) {
      pen = "M";
      continue;
    }
    const y = row.zero - microvolts * perMicrovolt;
    d += `${pen}${sheet.x(i / data.fs).toFixed(2)} ${y.toFixed(2)}`;
    pen = "L";
  }
  const trace = svgElement("path", { class: "trace", "data-lead": data.leads[segment.lead], d });
  if (segment.rhythm) trace.setAttribute("data-rhythm", "true");
  if (segment.clipped) trace.setAttribute("data-clipped", "true");
  if (segment.inverted) trace.setAttribute("data-inverted", "true");
  return trace;
}

function drawLabel(group, data, segment, row, sheet) {
  const lead = data.leads[segment.lead];
  const x = sheet.x(segment.i0 / data.fs) + 1.25 * sheet.mm;
  // A row grown for one tall lead must not carry the other leads' names away from their traces.
  const y = Math.max(row.top + 13, row.zero - 12 * sheet.mm);
  const label = svgElement("text", { class: "label", x, y }, leadName(data, segment));
  const reasons = [];
  if (data.no_signal.includes(lead)) reasons.push("no signal");
  if (data.notes[lead]) reasons.push(data.notes[lead]);
  if (segment.clipped) reasons.push("clipped at the row's edge");
  if (reasons.length) label.append(svgElement("tspan", { class: "reason", dx: 6 }, reasons.join(", ")));
  group.append(label);
}

function leadName(data, segment) {
  return (segment.inverted ? "-" : "") + data.leads[segment.lead];
}

function drawSeconds(group, data, sheet) {
  const end = data.start_s + sheet.duration + 1e-9;
  for (let second = Math.ceil(data.start_s); second <= end; second++) {
    const x = sheet.x(second - data.start_s);
    const tick = { x1: x, x2: x, y1: sheet.bottom, y2: sheet.bottom + sheet.mm };
    group.append(svgElement("line", { class: "separator", ...tick }));
    const text = second === Math.ceil(data.start_s) ? `${second} s` : String(second);
    group.append(svgElement("text", { class: "second", x: x + 3, y: sheet.height - 0.8 * sheet.mm }, text));
  }
}

// ---- what the model looked at: always under the trace ------------------------------------------------------------

function drawSaliency(group, data, sheet) {
  const level = new Int8Array(bytes(data.saliency.level).buffer);
  const binS = data.saliency.bin_share * sheet.duration;
  for (const row of sheet.rows)
    for (const segment of row.segments) {
      const [from, to] = [segment.i0 / data.fs, segment.i1 / data.fs];
      for (let bin = Math.floor(from / binS); bin < data.saliency.n_bins && bin * binS < to; bin++) {
        const value = level[segment.lead * data.saliency.n_bins + bin];
        if (!value) continue;
        const x = sheet.x(Math.max(bin * binS, from));
        const width = sheet.x(Math.min((bin + 1) * binS, to)) - x;
        if (width <= 0) continue;
        const opacity = 0.12 + (0.5 * Math.abs(value)) / 127;
        const band = { x, width, y: row.top, height: row.bottom - row.top, "fill-opacity": opacity };
        const kind = value > 0 ? "saliency raises" : "saliency lowers";
        const lead = { "data-saliency-lead": data.leads[segment.lead] };
        group.append(svgElement("rect", { class: kind, ...lead, ...band }));
      }
    }
}

function drawAttention(group, weights, sheet) {
  const height = STRIP_MM * sheet.mm;
  const most = Math.max(...weights);
  for (const row of sheet.rows) {
    const rail = { x: sheet.x0, y: row.bottom - height, width: sheet.x(sheet.duration) - sheet.x0, height };
    group.append(svgElement("rect", { class: "attention-rail", ...rail }));
    weights.forEach((weight, window) => {
      const [t0, t1] = attentionWindow(window, weights, sheet);
      const box = { x: sheet.x(t0), width: sheet.x(t1) - sheet.x(t0), y: row.bottom - height, height };
      const opacity = most > 0 ? weight / most : 0;
      const cell = svgElement("rect", { class: "attention", ...box, "fill-opacity": opacity, "data-window": window });
      const text = `attention ${weight.toPrecision(2)}, ${t0.toFixed(2)} to ${t1.toFixed(2)} s`;
      cell.append(svgElement("title", {}, text));
      group.append(cell);
    });
  }
}

function attentionWindow(window, weights, sheet) {
  return [(window * sheet.duration) / weights.length, ((window + 1) * sheet.duration) / weights.length];
}

function drawHighlight(group, [t0, t1], sheet) {
  const box = { x: sheet.x(t0), width: sheet.x(t1) - sheet.x(t0), y: sheet.rows[0].top };
  const height = sheet.bottom - sheet.rows[0].top;
  const marks = { "data-testid": "ecg-highlight", "data-t0": t0, "data-t1": t1 };
  group.append(svgElement("rect", { class: "highlight", ...box, height, ...marks }));
}

// ---- words: the name of the sheet for a screen reader, the line below it for everyone ----------------------------

function nameSheet(paper, data, sheet) {
  const absent = data.no_signal.length ? `; no signal in ${data.no_signal.join(", ")}` : "";
  const rhythm = sheet.rows.some((row) => row.segments[0].rhythm) ? " and rhythm strip II" : "";
  const attributes = {
    role: "img",
    tabindex: "0",
    "aria-label":
      `12-lead ECG, leads ${data.leads.join(", ")}${rhythm}; ${data.speed} mm/s, ${data.gain} mm/mV, ` +
      `${sheet.duration.toFixed(1)} s${absent}. Drag to measure, or press Enter for a caliper.`,
    "data-testid": "ecg-paper",
    "data-stay": data.stay,
    "data-run": data.run,
    "data-layout": data.layout,
    "data-px-per-second": sheet.perSecond,
    "data-px-per-mv": sheet.perMv,
  };
  for (const [name, value] of Object.entries(attributes)) paper.setAttribute(name, value);
}

function footerParts(data, sheet) {
  const parts = [];
  const line = (text, kind, more = {}) => parts.push(html("span", { class: kind, ...more }, text));
  line(scaleWords(data), "scale", { "data-testid": "ecg-scale" });
  line(lengthWords(data, sheet), "quiet");
  if (data.caption) line(data.caption, "quiet");
  const legend = (kind, text) => parts.push(html("span", {}, html("span", { class: `swatch ${kind}` }), text));
  if (data.saliency) {
    const unseen = data.saliency.unseen > 0 ? `, ${percent(data.saliency.unseen)} of it outside the windows shown` : "";
    legend("saliency raises", `raises`);
    legend("saliency lowers", `lowers: saliency, top ${percent(data.saliency.top)} of |value|${unseen}`);
  }
  if (data.attention) legend("attention", "Attention: where the model looked, not why");
  if (data.n_saturated) line(`${data.n_saturated} samples beyond ±32.767 mV are drawn at that limit`, "warn");
  return parts;
}

function scaleWords(data) {
  return `${data.speed} mm/s  ${data.gain} mm/mV`;
}

function lengthWords(data, sheet) {
  const from = data.start_s > 0 ? `from ${data.start_s.toFixed(1)} s, ` : "";
  return `${from}${sheet.duration.toFixed(1)} s at ${data.fs} Hz`;
}

function percent(share) {
  return share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;
}
