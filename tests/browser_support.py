"""A Streamlit script comes in; its running server, and a Chromium page that remembers errors and requests, go out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
# Streamlit asks below a page's own path before it asks at the root (the base path, where there is one), and the
# browser logs the 404 with this address.
_PROBE = re.compile(r"(?:/[a-z-]+){1,2}/_stcore/(?:health|host-config)")
IDENTITIES = """() => {
  const found = [];
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.dataset?.stay && element.checkVisibility({ visibilityProperty: true })) {
        found.push([element.dataset.stay, element.dataset.run]);
      }
      if (element.shadowRoot) walk(element.shadowRoot);
    }
  };
  walk(document);
  return found;
}"""
# The texts of charts that lie partly outside their chart, where nobody can read them.
CUT_TEXTS = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((chart) => {
  const box = chart.getBoundingClientRect();
  return [...chart.querySelectorAll("svg.main-svg text")].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.width && (own.left < box.left - 1 || own.right > box.right + 1
      || own.top < box.top - 1 || own.bottom > box.bottom + 1);
  }).map((text) => text.textContent);
})"""
expect.set_options(timeout=30_000)  # ms; what is waited for is what counts, not how fast the machine is today
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
# Playwright's sync API runs once per thread, so nested pages share one browser.
_shared: list[Browser] = []
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@contextmanager
def streamlit_server(
    app: Path, *args: str, env: Mapping[str, str] | None = None, timeout_s: float = 60
) -> Iterator[str]:
    """`streamlit run app` answers on a free port; yields its URL with a base path if args set one; killed on exit.

    Args:
        args: more arguments of `streamlit run`, or after "--" of the script.
        env: variables set on top of this process's own; PYTHONPATH always holds the project's root.
    """
    port = _free_port()
    base = _base_path(args)
    url = f"http://localhost:{port}{base}"
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false", *args]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, **(env or {})}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_for_health(process, url + "/_stcore/health", timeout_s)
            yield url
        except BaseException:
            log.seek(0)
            print(f"--- the end of the log of {app.name} ---\n{log.read()[-4000:]}", file=sys.stderr)
            raise
        finally:
            _end(process)


@contextmanager
def chromium_browser() -> Iterator[Browser]:
    """One Chromium runs; inside another `chromium_browser` the same one is given, so a session can hold it open."""
    if _shared:
        yield _shared[0]
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGS)
        _shared.append(browser)
        try:
            yield browser
        finally:
            _shared.clear()
            browser.close()


@contextmanager
def chromium_page(
    width: int = 1440, height: int = 900, color_scheme: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    """A fresh page; `lemof_console_errors` and `lemof_outside_requests` on it list what should never happen.

    `lemof_failures` are the errors less Streamlit's own two probes, known by their address.
    """
    with ExitStack() as stack:
        browser = stack.enter_context(chromium_browser())
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=color_scheme)
        stack.callback(context.close)
        page = context.new_page()
        errors: list[str] = []
        failures: list[str] = []
        outside: list[str] = []

        def note_message(message: ConsoleMessage) -> None:
            if message.type != "error":
                return
            errors.append(message.text)
            address = urlsplit(message.location["url"])
            if address.hostname not in LOCAL_HOSTS or not _PROBE.fullmatch(address.path):
                failures.append(f"{message.text} {message.location['url']}")

        def note_request(request: Request | WebSocket) -> None:
            url = urlsplit(request.url)
            if url.scheme in {"http", "https", "ws", "wss"} and url.hostname not in LOCAL_HOSTS:
                outside.append(request.url)

        page.on("console", note_message)
        for noted in (errors, failures):
            page.on("pageerror", lambda error, noted=noted: noted.append(str(error)))
        page.on("request", note_request)
        page.on("websocket", note_request)
        page.lemof_console_errors = errors  # type: ignore[attr-defined]
        page.lemof_failures = failures  # type: ignore[attr-defined]
        page.lemof_outside_requests = outside  # type: ignore[attr-defined]
        yield page


def idle(page: Page, timeout_s: float = 30) -> None:
    """For a quarter of a second the script has rested, connected, and nothing on the page has come or gone.

    A click's own rerun is not overlooked so, nor the first run of a busy machine, before which all is at rest too, nor
    what the browser draws after the script's end. A very busy machine may begin a click's run later still: who reads
    what the click changes waits for that itself.
    """
    page.wait_for_function(
        """() => {
            if (!window.lemofObserver) {
                window.lemofObserver = new MutationObserver(() => { window.lemofRestingSince = null; });
                window.lemofObserver.observe(document, { subtree: true, childList: true, characterData: true });
            }
            const resting = document.querySelector(
                '[data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]');
            const drawn = document.querySelector('[data-testid="stElementContainer"]');
            if (!resting || !drawn) { window.lemofRestingSince = null; return false; }
            window.lemofRestingSince ??= performance.now();
            if (performance.now() - window.lemofRestingSince < 250) return false;
            window.lemofRestingSince = null;
            return true;
        }""",
        timeout=timeout_s * 1000,
        polling=50,
    )


def identities(page: Page) -> set[tuple[str, str]]:
    """(stay, run) of everything visible on the page that belongs to a patient, in shadow roots too."""
    return {(stay, run) for stay, run in page.evaluate(IDENTITIES)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])


def _base_path(args: tuple[str, ...]) -> str:
    """The base path that args give the server, as "/path", or nothing."""
    for number, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name == "--server.baseUrlPath":
            base = (value or args[number + 1]).strip("/")
            return f"/{base}" if base else ""
    return ""


def _wait_for_health(process: subprocess.Popen[bytes], url: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        # A dead child with a healthy port would be somebody else's server.
        if process.poll() is not None:
            raise RuntimeError(f"streamlit ended with exit status {process.returncode} before it answered.")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"streamlit did not answer at {url} within {timeout_s:g} s.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The server and the worker processes it started are gone."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)  # its own session, so the group is the server's alone
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
