// The drawn sheet of ecg_paper.js comes in; calipers under pointer and keys go on it, and what they measured goes to
// Python as the states "caliper" {t0, t1, mv, lead, of} and "window" {t0, t1, of}; "of" is the record they belong to.
const CLICK_PX = 3; // less movement than this is a click
const KEY_STEP_S = 0.01;
const KEY_STEP_MV = 0.05;

function readout({ t0, t1, mv0, mv1 }) {
  const ms = Math.round(Math.abs(t1 - t0) * 1000);
  // A rate beyond 20 to 300 per minute is no heart rate: such a span is a wave or several beats.
  const rate = ms >= 200 && ms <= 3000 ? ` · ${Math.round(60000 / ms)} bpm` : "";
  return `${ms} ms${rate} · ${Math.abs(mv1 - mv0).toFixed(2)} mV`;
}

function drawCaliper({ data, sheet, svg, scroll, state, host }) {
  const group = svg.querySelector(".caliper");
  group.replaceChildren();
  const { caliper } = state;
  const march = host.querySelector(".ecg-march");
  march.disabled = !caliper;
  march.setAttribute("aria-pressed", String(Boolean(caliper && state.marching)));
  if (!caliper) return;
  const row = sheet.rows[caliper.row];
  const [xa, xb] = [sheet.x(caliper.t0), sheet.x(caliper.t1)];
  const [ya, yb] = [caliper.mv0, caliper.mv1].map((mv) => row.zero - mv * sheet.perMv);
  const line = (x1, x2, y1, y2, more) => group.append(svgElement("line", { x1, x2, y1, y2, ...more }));
  line(xa, xa, 0, sheet.bottom, { "data-testid": "caliper-line" });
  line(xb, xb, 0, sheet.bottom, { "data-testid": "caliper-line" });
  line(xa, xb, ya, ya);
  line(xa, xb, yb, yb);
  const interval = Math.abs(caliper.t1 - caliper.t0);
  if (state.marching && interval >= 0.04) {
    const first = Math.min(caliper.t0, caliper.t1);
    const from = -Math.floor(first / interval);
    for (let k = from; first + k * interval <= sheet.duration; k++)
      if (k < 0 || k > 1) {
        const x = sheet.x(first + k * interval);
        line(x, x, row.top, row.bottom, { class: "march", "data-testid": "march-tick" });
      }
  }
  const text = svgElement("text", { "data-testid": "caliper-readout" }, readout(caliper));
  const pill = svgElement("rect", { rx: 3 });
  group.append(pill, text);
  const { width, height } = text.getBBox();
  const left = Math.min(xa, xb) + Math.abs(xb - xa) / 2 - width / 2;
  const [least, most] = [scroll.scrollLeft + 6, scroll.scrollLeft + scroll.clientWidth - width - 6];
  const x = Math.max(Math.min(left, most), least);
  const above = Math.min(ya, yb) - 10;
  const y = above > height + 4 ? above : Math.max(ya, yb) + height + 8;
  for (const [name, value] of Object.entries({ x, y })) text.setAttribute(name, value);
  const box = text.getBBox();
  const frame = { x: box.x - 5, y: box.y - 2, width: box.width + 10, height: box.height + 4 };
  for (const [name, value] of Object.entries(frame)) pill.setAttribute(name, value);
}

function sendCaliper({ data, state, host, setStateValue }) {
  const caliper = state.caliper;
  const round = (value) => Math.round(value * 1000) / 1000;
  const value = caliper && {
    t0: round(Math.min(caliper.t0, caliper.t1)),
    t1: round(Math.max(caliper.t0, caliper.t1)),
    mv: round(Math.abs(caliper.mv1 - caliper.mv0)),
    lead: caliper.lead,
    of: data.identity,
  };
  host.querySelector(".ecg-live").textContent = caliper ? `${caliper.lead}: ${readout(caliper)}` : "";
  if (JSON.stringify(value) === JSON.stringify(state.sent)) return;
  state.sent = value;
  setStateValue("caliper", value);
}

function sendWindow({ data, state, setStateValue }, span) {
  if (JSON.stringify(span) === JSON.stringify(state.window)) return;
  state.window = span;
  setStateValue("window", span && { t0: span[0], t1: span[1], of: data.identity });
}

// Whatever chose the highlighted window, here or elsewhere on the page, Escape lets it go.
function clearWindow({ data, state, setStateValue }) {
  if (!data.highlight && !state.window) return;
  state.window = null;
  setStateValue("window", { cleared: Date.now(), of: data.identity });
}

// Python no longer holds what belonged to a drawing that is gone.
function forget(state, setStateValue, fields) {
  for (const field of fields) {
    if (!state[field]) continue;
    state[field] = null;
    setStateValue(field === "sent" ? "caliper" : field, null);
  }
}

function windowAt({ data, sheet }, seconds) {
  const { highlight, attention } = data;
  if (highlight && seconds >= highlight[0] && seconds <= highlight[1]) return highlight;
  if (!attention) return null;
  const window = Math.min(Math.floor((seconds / sheet.duration) * attention.length), attention.length - 1);
  return attentionWindow(window, attention, sheet);
}

// ---- hands: pointer and keys -------------------------------------------------------------------------------------

function listen(page) {
  const { sheet, svg, paper, state, host } = page;
  let start = null;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, touch: event.pointerType === "touch" };
  };
  svg.onpointerdown = (event) => {
    if (event.button !== 0) return;
    paper.focus({ preventScroll: true });
    start = { ...place(event), dragged: false };
    if (!start.touch || host.classList.contains("measuring")) svg.setPointerCapture(event.pointerId);
  };
  svg.onpointermove = (event) => {
    if (!start) return;
    const now = place(event);
    start.dragged ||= Math.hypot(now.x - start.x, now.y - start.y) >= CLICK_PX;
    // On a touch screen a finger pans the wide paper, unless the reader asked to measure.
    if (!start.dragged || (start.touch && !host.classList.contains("measuring"))) return;
    state.caliper = spanned(page, start, now);
    drawCaliper(page);
  };
  svg.onpointerup = (event) => {
    if (!start) return;
    const { x, dragged } = start;
    start = null;
    if (dragged) return sendCaliper(page);
    const seconds = (place(event).x - sheet.x0) / sheet.perSecond;
    const onTime = seconds >= 0 && seconds <= sheet.duration && x >= sheet.x0;
    const span = onTime ? windowAt(page, seconds) : null;
    if (span) sendWindow(page, span);
  };
  svg.onpointercancel = () => {
    start = null;
  };
  paper.onkeydown = (event) => pressKey(page, event);
  paper.onkeyup = (event) => {
    if (event.key.startsWith("Arrow") && state.caliper) sendCaliper(page);
  };
  const march = host.querySelector(".ecg-march");
  march.onclick = () => {
    state.marching = !state.marching;
    drawCaliper(page);
  };
  const measure = host.querySelector(".ecg-measure");
  measure.onclick = () => measure.setAttribute("aria-pressed", String(host.classList.toggle("measuring")));
  drawCaliper(page);
  followC(page);
}

function spanned({ data, sheet }, from, to) {
  const row = sheet.rows.findLastIndex((candidate) => candidate.top <= from.y);
  const number = Math.max(row, 0);
  const zero = sheet.rows[number].zero;
  const t0 = sheet.seconds(from.x);
  const segments = sheet.rows[number].segments;
  const segment = segments.findLast((candidate) => candidate.i0 / data.fs <= t0) ?? segments[0];
  const mv = (y) => (zero - y) / sheet.perMv;
  const lead = data.leads[segment.lead];
  return { row: number, lead, t0, t1: sheet.seconds(to.x), mv0: mv(from.y), mv1: mv(to.y) };
}

function pressKey(page, event) {
  const { sheet, scroll, state } = page;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  const { caliper } = state;
  if (event.key === "Escape") {
    state.caliper = null;
    state.marching = false;
    sendCaliper(page);
    clearWindow(page);
  } else if (step && caliper) {
    caliper.t1 = Math.min(Math.max(caliper.t1 + step[0] * KEY_STEP_S, 0), sheet.duration);
    caliper.mv1 += step[1] * KEY_STEP_MV;
  } else if (step && step[0]) {
    scroll.scrollLeft += step[0] * 10 * sheet.mm;
  } else if (event.key.toLowerCase() === "m" && caliper) {
    state.marching = !state.marching;
  } else if (event.key === "Enter" && !caliper) {
    placeCaliper(page);
  } else if (event.key.toLowerCase() === "c") {
    toggleCaliper(page);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation(); // Streamlit has keys of its own
  drawCaliper(page);
}

function placeCaliper(page) {
  const { sheet, scroll, state } = page;
  const x = Math.max(scroll.scrollLeft, sheet.x0);
  state.caliper = spanned(page, { x, y: sheet.rows[0].zero }, { x: x + sheet.perSecond, y: sheet.rows[0].zero });
  sendCaliper(page);
}

// ---- C, pressed anywhere on the page but in a text field ---------------------------------------------------------

const followed = new WeakMap(); // paper element -> the listener of its last drawing

function followC(page) {
  const { paper } = page;
  const press = (event) => {
    if (!paper.isConnected) return document.removeEventListener("keydown", press, true);
    if (event.key.toLowerCase() !== "c" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const path = event.composedPath();
    const typing = path.some((on) => on.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(on.tagName ?? ""));
    // Of several papers the first one answers, or the one that has the focus.
    if (typing || event.defaultPrevented || path.includes(paper)) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has a C of its own
    paper.focus({ preventScroll: true });
    toggleCaliper(page);
    drawCaliper(page);
  };
  document.removeEventListener("keydown", followed.get(paper), true);
  document.addEventListener("keydown", press, true);
  followed.set(paper, press);
}

function toggleCaliper(page) {
  const { state } = page;
  if (!state.caliper) return placeCaliper(page);
  state.caliper = null;
  state.marching = false;
  sendCaliper(page);
}
