// The drawn sheet comes in; pages of A4 landscape, seen on paper alone, go out: 1 mm of the ECG is 1 mm there. Each page
// says whose ECG it is, because pages get lost one by one.
const PAGE_WIDTH_MM = 277; // A4 landscape within the margins of ecg_print.css
const BODY_MM = 160; // what the lines above and below leave of 190 mm
const CHECK_MM = 100;

function drawPrint(host, data, sheet, svg) {
  const all = svg.querySelector(".all");
  all.id = `ecg-all-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const spans = acrossPages(data, sheet).flatMap((across) => downPages(sheet).map((down) => ({ ...across, ...down })));
  const pages = spans.map((span, number) => printedPage(data, sheet, all.id, span, `${number + 1} of ${spans.length}`));
  host.querySelector(".ecg-print").replaceChildren(...pages);
  host.querySelector(".ecg-print-button").onclick = () => window.print();
}

// Whole seconds as many as fit; the first page has the pulse before them.
function acrossPages(data, sheet) {
  const width = sheet.width / sheet.mm;
  if (width <= PAGE_WIDTH_MM) return [{ x0: 0, x1: width, t0: 0, t1: sheet.duration }];
  const seconds = Math.floor((PAGE_WIDTH_MM - LEFT_MM) / data.speed);
  const pages = [];
  for (let t0 = 0; t0 < sheet.duration; t0 += seconds) {
    const t1 = Math.min(t0 + seconds, sheet.duration);
    pages.push({ x0: t0 === 0 ? 0 : LEFT_MM + t0 * data.speed, x1: LEFT_MM + t1 * data.speed, t0, t1 });
  }
  return pages;
}

function downPages(sheet) {
  const pages = [];
  let first = 0;
  sheet.rows.forEach((row, number) => {
    const next = sheet.rows[number + 1];
    const top = first === 0 ? 0 : sheet.rows[first].top;
    if (next && (next.bottom - top) / sheet.mm + RULER_MM <= BODY_MM) return;
    pages.push({ y0: top / sheet.mm, y1: (next ? row.bottom : sheet.height) / sheet.mm, rows: [first, number] });
    first = number + 1;
  });
  return pages;
}

function printedPage(data, sheet, id, { x0, x1, y0, y1, t0, t1, rows }, number) {
  const { mm } = sheet;
  const size = `width: ${x1 - x0}mm; height: ${y1 - y0}mm`;
  const view = `${x0 * mm} ${y0 * mm} ${(x1 - x0) * mm} ${(y1 - y0) * mm}`;
  const copy = svgElement("svg", { viewBox: view, style: size, "data-testid": "ecg-printed", "aria-hidden": "true" });
  copy.append(svgElement("use", { href: `#${id}` }));
  const identity = { "data-stay": data.stay, "data-run": data.run, class: "page" };
  const page = html("section", identity);
  const line = (kind, ...text) => page.append(html("p", { class: kind }, ...text));
  data.print_lines.forEach((text, at) => line(at === 0 ? "who" : "more", text));
  page.append(copy);
  const leads = sheet.rows.slice(rows[0], rows[1] + 1).map((row) => row.segments.map((segment) => leadName(data, segment)));
  const told = [scaleWords(data), lengthWords(data, sheet), data.caption];
  if (number !== "1 of 1") {
    const [from, to] = [data.start_s + t0, data.start_s + t1].map((seconds) => seconds.toFixed(1));
    told.push(`page ${number}: ${from} to ${to} s, rows ${leads.map((row) => row.join(" ")).join(", ")}`);
  }
  line("scale", told.filter(Boolean).join(" · "));
  const bar = html("span", { class: "check", style: `width: ${CHECK_MM}mm` });
  line("check-line", bar, `${CHECK_MM} mm if printed at 100 %, not "fit to page"`);
  return page;
}
