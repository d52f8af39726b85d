// The page's subject is the one that its address names. Every subject is drawn in a place whose class names it, so what
// is another's is hidden by a rule that changes with the address: on Back, Forward or the next patient the page shows
// nobody until the server has answered, which may take seconds or never come.
const STYLE_ID = "lemof-subject-guard";
const PATIENCE_MS = 700;
const MOST_ASKS = 5; // for one address: a server that answers with another one will not do better
const FOCUS_MS = 3000;
let page = null; // { key, parameter, path, ask } of the page of one subject; ask is null once the reader left it
let waiting = null;
let wasThere = false;
let asks = { href: "", n: 0 };

// What the address asks for as a CSS selector of its place; null where it asks for nothing that has one.
function askedPlace() {
  const subject = new URL(location.href).searchParams.getAll(page.parameter).at(-1)?.trim() ?? "";
  if (location.pathname !== page.path || !/^\d*$/.test(subject)) return null;
  return `[class*="st-key-${page.key}-of-${subject.replace(/^0+(?=\d)/, "")}-visit-"]`;
}

function follow() {
  if (!page) return;
  const place = askedPlace();
  const there = place !== null && document.querySelector(place) !== null;
  if (wasThere && !there) keepPlace();
  wasThere = there;
  let rule = document.getElementById(STYLE_ID);
  if (!rule) {
    rule = document.head.appendChild(document.createElement("style"));
    rule.id = STYLE_ID;
  }
  const others = `[class*="st-key-${page.key}-of-"]${place ? `:not(${place})` : ""}`;
  // What floats above the page (an open popover, a list of ECGs) hangs on <body>, outside of every place.
  const floating = place ? `, body:not(:has(${place})) > :not(#root)` : "";
  const text = `${others}${floating} { visibility: hidden; }`;
  if (rule.textContent !== text) rule.textContent = text;
  if (page.ask && place && !there) waiting ??= setTimeout(askAgain, PATIENCE_MS);
}

// The next subject's elements are new ones: the page keeps its height meanwhile, and what had the focus gets it again.
function keepPlace() {
  const main = document.querySelector('[data-testid="stMainBlockContainer"]');
  document.body.style.setProperty("--lemof-page-height", `${main?.offsetHeight ?? 0}px`);
  const held = document.activeElement?.closest("[class*='st-key-']");
  const name = [...(held?.classList ?? [])].find((one) => one.startsWith("st-key-"));
  if (name && held.querySelectorAll("button").length === 1) giveFocusBack(held, name, Date.now() + FOCUS_MS);
}

function giveFocusBack(held, name, until) {
  if (!held.isConnected) {
    if (document.activeElement !== document.body) return; // the reader is elsewhere
    const button = document.querySelector(`.${CSS.escape(name)} button`);
    if (button) return button.focus({ preventScroll: true });
  }
  if (Date.now() < until) setTimeout(giveFocusBack, 30, held, name, until);
}

// A late answer to an earlier question may change the address after the server drew for another one: where all is at
// rest and they still differ, the server is asked for what the address names.
function askAgain() {
  waiting = null;
  const place = askedPlace();
  const atRest = document.querySelector('[data-test-script-state="notRunning"]') !== null;
  if (page.ask && place && atRest && !document.querySelector(place)) {
    if (asks.href !== location.href) asks = { href: location.href, n: 0 };
    if (asks.n++ >= MOST_ASKS) return;
    page.ask();
  }
  follow();
}

window.addEventListener("popstate", follow);
// Streamlit's own changes of the address too, where the browser tells of them.
window.navigation?.addEventListener("currententrychange", follow);

export default function ({ data, setTriggerValue }) {
  const own = { ...data, path: location.pathname, ask: () => setTriggerValue("again", true) };
  page = own;
  follow();
  return () => {
    own.ask = null; // its own alone: the next one may be there already
  };
}
