// Keys of the case page: 1 to 5 open what the row of depths offers, ? the list of keys. J and K are Streamlit's buttons,
// C is the ECG paper's. None of them acts while the reader types.
const TYPED = new Set(["text", "number", "search", "email", "password", "tel", "url", "date", "time"]);

const DEPTHS = ".st-key-depth";
const GROWING_MS = 3000;

// The panel is drawn below the screen a while after it was asked for: the page follows as it grows.
function follow() {
  const show = () => document.querySelector(DEPTHS)?.scrollIntoView({ block: "start" });
  const growing = new ResizeObserver(show);
  growing.observe(document.querySelector('[data-testid="stMainBlockContainer"]'));
  setTimeout(() => growing.disconnect(), GROWING_MS);
  const stop = () => growing.disconnect(); // the reader goes elsewhere
  for (const kind of ["wheel", "pointerdown", "touchstart"]) addEventListener(kind, stop, { once: true, passive: true });
  show();
}

function typing(event) {
  return event
    .composedPath()
    .some(
      (element) =>
        element.isContentEditable ||
        ["TEXTAREA", "SELECT"].includes(element.tagName) ||
        (element.tagName === "INPUT" && TYPED.has(element.type)),
    );
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event)) return;
  if (/^[1-5]$/.test(event.key)) {
    const button = document.querySelectorAll(`${DEPTHS} button`)[Number(event.key) - 1];
    if (!button) return;
    button.click();
    follow();
  } else if (event.key === "?") {
    document.querySelector(".st-key-case-keys-note button")?.click();
  }
}

export default function () {
  document.addEventListener("keydown", press);
  document.body.dataset.caseKeys = "listening"; // who presses keys for a reader, such as a test, waits for this
  return () => document.removeEventListener("keydown", press);
}
