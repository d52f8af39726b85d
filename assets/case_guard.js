// The subject whose page stands there comes in. While the address asks for another one (Back, Forward, next patient)
// the page is hidden: until the server answers, which may take seconds or never come, it shows nobody.
const HIDING = "lemof-subject-changes"; // a class of <body>; case.css says what it hides
const PATIENCE_MS = 700;
let page = null; // { parameter, drawn, path, ask } of the page that stands there; null where none of a subject does
let waiting = null;

function differs() {
  if (!page || location.pathname !== page.path) return false;
  return (new URL(location.href).searchParams.get(page.parameter)?.trim() ?? "") !== page.drawn;
}

function check() {
  const other = differs();
  document.body.classList.toggle(HIDING, other);
  if (other) waiting ??= setTimeout(askAgain, PATIENCE_MS);
}

// A late answer to an earlier question may change the address after the server drew for another one: where all is at
// rest and they still differ, the server is asked for what the address names.
function askAgain() {
  waiting = null;
  if (!differs()) return;
  if (document.querySelector('[data-test-script-state="notRunning"]')) page.ask();
  waiting = setTimeout(askAgain, PATIENCE_MS);
}

window.addEventListener("popstate", check);
// Streamlit's own changes of the address too, where the browser tells of them.
window.navigation?.addEventListener("currententrychange", check);

export default function ({ data, setTriggerValue }) {
  page = { ...data, path: location.pathname, ask: () => setTriggerValue("again", true) };
  check();
  return () => {
    page = null;
    document.body.classList.remove(HIDING);
  };
}
