/* A histogram to brush: dragging over its bars chooses a range, a click one bar, a double click all of it. The slider
   below is the same choice for the keyboard. data: bins (counts), low, high (ends of the scale), bar (how much of the
   scale each bar covers), whole (of whole numbers, of which each takes up a place), chosen [from, to], step, digits, what
   (the quantity in words). Reports `span` = [from, to], rounded outwards to the step, once per gesture; of a bar that was
   clicked it is what the bar counts, as said when the pointer is over it. */
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const svg = parentElement.querySelector("svg");
  const out = parentElement.querySelector("output");
  parentElement.querySelector(".title span").textContent = data.what;
  const { bins, low, high, bar, whole, chosen, step, digits, what } = data;
  const place = whole ? 1 : 0, end = low + bins.length * bar;
  const width = 240, height = 40, top = Math.max(...bins, 1), wide = width / bins.length;
  const said = (value) => value.toFixed(digits);
  const name = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const total = bins.reduce((sum, n) => sum + n, 0);
  svg.setAttribute("aria-label", `Histogram of ${what.toLowerCase()}, n = ${total}`);
  const draw = ([from, to]) => {
    svg.replaceChildren();
    bins.forEach((n, at) => {
      const middle = low + (at + 0.5) * bar - place / 2;
      const tall = n ? Math.max((height * n) / top, 1) : 0;
      const inside = middle >= from && middle <= to;
      const drawn = name("rect", { x: at * wide, y: height - tall, width: Math.max(wide - 1, 0.5), height: tall });
      drawn.setAttribute("class", inside ? "inside" : "outside");
      svg.append(drawn);
    });
  };
  const rest = (span) => {
    draw(span);
    out.textContent = "";
  };
  rest(chosen);
  const valueAt = (event) => {
    const box = svg.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return low + share * (end - low);
  };
  const barAt = (value) => Math.min(Math.floor((value - low) / bar), bins.length - 1);
  const spanOf = (at) => [low + at * bar, Math.min(low + (at + 1) * bar - place, high)].map((one) => Number(said(one)));
  const inWords = ([from, to]) => (from === to ? said(from) : `${said(from)}–${said(to)}`);
  const snapped = (one, other) => {
    const [from, to] = [Math.min(one, other), Math.max(one, other)];
    if (to - from < bar / 4) return spanOf(barAt(from));
    if (whole) return [from, to].map((value) => Math.min(Math.floor(value), high));
    const outwards = (value, round) => Number((low + round((value - low) / step) * step).toFixed(digits));
    return [outwards(from + 1e-9, Math.floor), outwards(to - 1e-9, Math.ceil)];
  };
  let start = null, from = 0, pending = null;
  // A click may be the first half of a double click, which wants everything: it waits to see.
  const CLICK_MS = 300, DRAG_PX = 4;
  const down = (event) => {
    if (event.button) return;
    clearTimeout(pending);
    start = valueAt(event);
    from = event.clientX;
    svg.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    if (start === null) {
      const at = barAt(valueAt(event));
      out.textContent = `${inWords(spanOf(at))}: ${bins[at].toLocaleString("en-US")}`;
      return;
    }
    const span = snapped(start, valueAt(event));
    draw(span);
    out.textContent = inWords(span);
  };
  const up = (event) => {
    if (start === null) return;
    const span = snapped(start, valueAt(event));
    start = null;
    const report = () => setTriggerValue("span", span);
    if (Math.abs(event.clientX - from) < DRAG_PX) pending = setTimeout(report, CLICK_MS);
    else report();
  };
  const stop = () => {
    start = null;
    rest(chosen);
  };
  const leave = () => { if (start === null) out.textContent = ""; };
  const all = () => {
    clearTimeout(pending);
    setTriggerValue("span", [low, high]);
  };
  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: stop, pointerleave: leave, dblclick: all };
  for (const [event, listener] of Object.entries(listeners)) svg.addEventListener(event, listener);
  return () => {
    clearTimeout(pending);
    for (const [event, listener] of Object.entries(listeners)) svg.removeEventListener(event, listener);
  };
}
