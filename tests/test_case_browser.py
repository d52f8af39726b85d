"""The case page in a real browser in; whose data stands on it at any moment, links, history, bytes and widths held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, urlsplit

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import IDENTITIES, chromium_page, find_chromium, identities, idle
from case_browser_support import arrived, asked, next_button, opened, url
from case_support import RUN, CaseStore
from playwright.sync_api import Page, expect

__all__ = ["url"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
BYTES_PER_PATIENT = 300_000


def test_twenty_hasty_clicks_never_leave_another_patient_on_the_page(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[0], run=RUN)
    others = ["6x2", "Vitals", "levels", "saliency", "Whole stay", "3x4+II", "Top 12"]
    for number in range(20):
        next_button(page).evaluate("(button) => button.click()")
        if number % 3 == 2:
            option = page.get_by_role("radio", name=others[number // 3], exact=True, include_hidden=True)
            option.evaluate_all("(found) => found[0]?.click()")  # hidden while the patient changes
        page.wait_for_timeout(40)
    idle(page)
    arrived(page, int(asked(page)["stay"]))
    assert asked(page)["stay"] != str(case_store.cohort[0])
    assert identities(page) == {(asked(page)["stay"], RUN)}


def test_no_two_patients_are_visible_together_while_the_page_changes(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[0], run=RUN)
    page.evaluate(f"""() => {{
        const stamps = {IDENTITIES};
        window.seenTogether = [];
        window.watching = setInterval(() => {{
            const stays = [...new Set(stamps().map(([stay]) => stay))];
            if (stays.length > 1) window.seenTogether.push(stays.join(" "));
        }}, 5);
    }}""")
    for stay_id in case_store.cohort[1:5]:
        next_button(page).click()
        arrived(page, stay_id)
    assert page.evaluate("window.seenTogether") == []
    assert asked(page)["stay"] == str(case_store.cohort[4])


def test_back_returns_to_the_patient_before_and_forward_to_the_next(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[3], run=RUN)
    for stay_id in case_store.cohort[4:6]:
        next_button(page).click()
        arrived(page, stay_id)
    for move, place in ((page.go_back, 4), (page.go_back, 3), (page.go_forward, 4)):
        move()
        arrived(page, case_store.cohort[place])
        assert identities(page) == {(str(case_store.cohort[place]), RUN)}


def test_j_and_k_leaf_through_the_patients(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.cohort[3], run=RUN)
    arrived(page, case_store.cohort[3])
    page.keyboard.press("k")
    arrived(page, case_store.cohort[4])
    expect(page.get_by_test_id("case-position")).to_have_text(f"5 of {len(case_store.cohort)}")
    page.keyboard.press("j")
    arrived(page, case_store.cohort[3])
    assert identities(page) == {(str(case_store.cohort[3]), RUN)}


def watch_visible_stays(page: Page) -> None:
    """From now on the page notes whenever patients stand there together, or another one than its address names."""
    page.evaluate(f"""() => {{
        const stamps = {IDENTITIES};
        window.seenWrongly = [];
        setInterval(() => {{
            const stays = [...new Set(stamps().map(([stay]) => stay))];
            const asked = new URL(location.href).searchParams.get("stay");
            const onCase = location.pathname.endsWith("/case");
            if (stays.length > 1 || (onCase && stays.some((stay) => stay !== asked)))
                window.seenWrongly.push(`${{asked}} shows ${{stays.join(" ")}}`);
        }}, 5);
    }}""")


SLOW_LINE = """(() => {
    const Native = WebSocket;
    Object.assign(window, { lineDelayMs: 0, lineDead: false });
    window.WebSocket = class extends Native {
        addEventListener(kind, hear, ...more) {
            const late = (event) => window.lineDead || setTimeout(() => hear(event), window.lineDelayMs);
            super.addEventListener(kind, kind === "message" ? late : hear, ...more);
        }
    };
})()"""


@contextmanager
def leafed_on_a_slow_line(
    url: str, case_store: CaseStore, start: int, *, slower: int = 1, n: int = 1
) -> Iterator[Page]:
    """A page of its own whose line can be slowed, at the n-th patient after cohort[start]: so far does Back lead."""
    with chromium_page() as page:
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.add_init_script(SLOW_LINE)
        opened(page, url, stay=case_store.cohort[start], run=RUN)
        for stay_id in case_store.cohort[start + 1 : start + 1 + n]:
            next_button(page).click()
            arrived(page, stay_id)
        yield page


LISTS = ("", "sex=F&sort=old", "sort=p_high", "sex=M&age=30_90&sort=error", "where=")


@pytest.mark.parametrize(("delay_ms", "slower"), [(0, 1), (400, 1), (100, 4)])
def test_twenty_hasty_steps_through_changing_lists_and_history_show_nobody_else(
    url: str, case_store: CaseStore, delay_ms: int, slower: int
) -> None:
    """A slow server's answers come late, a slow computer draws late: the page is hidden where it is another patient."""
    with leafed_on_a_slow_line(url, case_store, 2, slower=slower, n=4) as page:
        page.evaluate("(delay) => { window.lineDelayMs = delay; }", delay_ms)
        watch_visible_stays(page)
        for number in range(20):
            step = number % 5
            if step in (0, 1, 3):
                next_button(page).evaluate("(button) => button.click()")
            elif step == 2:
                page.go_back(wait_until="commit")
            else:  # another list under the same patient, as a link of the cohort page would name it
                page.evaluate(
                    """([text]) => {
                        const to = new URL(location.href);
                        to.searchParams.set("list", text);
                        history.pushState(history.state, "", to);
                        dispatchEvent(new PopStateEvent("popstate", { state: history.state }));
                    }""",
                    [LISTS[number // 5 + 1]],
                )
            page.wait_for_timeout((30, 90, 200)[number % 3])
        idle(page, 60)
        page.wait_for_timeout(2 * delay_ms)
        arrived(page, int(asked(page)["stay"]))
        assert identities(page) == {(asked(page)["stay"], RUN)}
        assert page.evaluate("window.seenWrongly") == []


def test_who_leafs_through_stays_at_the_same_depth_and_keeps_the_button(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[5], run=RUN)
    depth = "document.querySelector('[data-testid=stMain]').scrollTop"
    page.locator('[data-panel="trends"]').evaluate("(panel) => panel.scrollIntoView({ block: 'start' })")
    next_button(page).focus()
    before = page.evaluate(depth)
    assert before > 300
    for stay_id in case_store.cohort[6:8]:
        page.keyboard.press("Enter")
        arrived(page, stay_id)
        assert page.evaluate(depth) == pytest.approx(before, abs=2)
        expect(next_button(page)).to_be_focused()


def test_zeros_before_a_stays_number_hide_nobody(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=f"00{case_store.cohort[3]}", run=RUN)
    arrived(page, case_store.cohort[3])
    assert identities(page) == {(str(case_store.cohort[3]), RUN)}


def test_of_two_stays_in_a_link_the_last_is_shown_and_the_server_is_left_in_peace(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=f"{case_store.cohort[3]}&stay={case_store.cohort[4]}", run=RUN)
    arrived(page, case_store.cohort[4])
    assert identities(page) == {(str(case_store.cohort[4]), RUN)}
    page.evaluate("""() => { window.runs = 0; new MutationObserver(() => { window.runs += 1; }).observe(
        document.querySelector("[data-test-script-state]"), { attributeFilter: ["data-test-script-state"] }); }""")
    page.wait_for_timeout(3000)  # four times as long as it takes to ask again
    assert page.evaluate("window.runs") == 0


def test_what_floats_above_the_page_goes_with_its_patient(url: str, case_store: CaseStore) -> None:
    with leafed_on_a_slow_line(url, case_store, 5) as page:
        page.get_by_role("button", name="Correct").click()
        form = page.get_by_test_id("stPopoverBody")
        expect(form).to_be_visible()
        page.evaluate("() => { window.lineDead = true; history.back(); }")
        expect(form).to_be_hidden()
        assert identities(page) == set()


def test_until_the_server_answers_back_shows_nobody(url: str, case_store: CaseStore) -> None:
    with leafed_on_a_slow_line(url, case_store, 3) as page:
        watch_visible_stays(page)
        page.evaluate("() => { window.lineDead = true; history.back(); }")
        page.wait_for_function(
            "(stay) => new URL(location.href).searchParams.get('stay') === stay", arg=str(case_store.cohort[3])
        )
        page.wait_for_timeout(500)
        assert identities(page) == set()
        page.evaluate("history.forward()")
        page.wait_for_function("() => document.querySelector('[data-panel=identity]').checkVisibility()")
        assert asked(page)["stay"] == str(case_store.cohort[4])
        assert page.evaluate("window.seenWrongly") == []


def test_the_list_travels_in_the_link(page: Page, url: str, case_store: CaseStore) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{url}/cohort?sex=Women&sort=Oldest+first")
    idle(page)
    shown = page.get_by_test_id("stDataFrame").first.get_by_test_id("glide-cell-1-2")
    wanted = {name: values[0] for name, values in parse_qs(urlsplit(shown.text_content() or "").query).items()}
    assert wanted["list"] == "sex=F&sort=old"
    opened(page, url, **{**wanted, "list": quote(wanted["list"]), "layout": "6x2", "gain": quote("20 mm/mV")})
    position = page.get_by_test_id("case-position").inner_text()
    assert position.startswith("3 of ")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    next_button(page).click()
    page.wait_for_function("(stay) => new URL(location.href).searchParams.get('stay') !== stay", arg=wanted["stay"])
    following = asked(page)["stay"]
    assert asked(page) | {"layout": "6x2", "gain": "20 mm/mV", "list": wanted["list"]} == asked(page)
    with chromium_page() as fresh:
        fresh.goto(link)
        arrived(fresh, int(wanted["stay"]))
        expect(fresh.get_by_test_id("case-position")).to_have_text(position)
        expect(fresh.get_by_test_id("ecg-paper")).to_have_attribute("data-layout", "6x2")
        expect(fresh.get_by_test_id("ecg-scale")).to_contain_text("20 mm/mV")
        fresh.keyboard.press("k")
        arrived(fresh, int(following))
        fresh.get_by_role("link", name="List", exact=True).click()
        fresh.wait_for_url("**/cohort?**")
        idle(fresh)
        assert asked(fresh) == {"sex": "Women", "sort": "Oldest first", "run": RUN}
        assert fresh.get_by_test_id("cohort-count").locator("b").inner_text() == position.split()[-1]


def test_a_copied_link_names_the_run_that_it_was_copied_with(page: Page, url: str, case_store: CaseStore) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, url, stay=case_store.cohort[3])
    assert "run" not in asked(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    assert parse_qs(urlsplit(page.evaluate("navigator.clipboard.readText()")).query)["run"] == [RUN]


def test_digits_open_the_depths_and_c_the_caliper_but_not_while_typing(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN)
    page.keyboard.press("?")
    note = page.get_by_test_id("case-keys")
    expect(note).to_be_visible()
    page.keyboard.press("?")
    expect(note).not_to_be_visible()
    depths = page.locator(".st-key-depth button").all_inner_texts()
    assert len(depths) >= 4
    for number, name in enumerate(depths[:5], 1):
        page.keyboard.press(str(number))
        expect(page.get_by_role("radio", name=name, exact=True)).to_be_checked()
        idle(page)
        assert asked(page)["depth"] == name
        expect(page.locator(".st-key-depth")).to_be_in_viewport()
    page.keyboard.press(str(min(len(depths), 5)))
    idle(page)
    assert "depth" not in asked(page)
    page.keyboard.press("c")
    expect(page.get_by_test_id("caliper-readout")).to_have_count(1)
    page.keyboard.press("c")
    expect(page.get_by_test_id("caliper-readout")).to_have_count(0)
    page.evaluate(  # the page has no field to type into at all times
        "document.querySelector('[data-testid=stMain]').insertAdjacentHTML('beforeend', '<input id=typed>')"
    )
    page.locator("#typed").focus()
    page.keyboard.type("c1?k")
    idle(page)
    assert page.locator("#typed").input_value() == "c1?k"
    assert "depth" not in asked(page) and asked(page)["stay"] == str(case_store.test_stay)
    expect(page.get_by_test_id("caliper-readout")).to_have_count(0)
    expect(note).not_to_be_visible()
    assert page.get_by_role("dialog").count() == 0


def test_the_copied_link_opens_the_same_view(page: Page, url: str, case_store: CaseStore) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, url, stay=case_store.test_stay, run=RUN)
    for view in ("6x2", "levels", "probability", "Levels"):
        page.get_by_role("radio", name=view, exact=True).click(force=True)
        idle(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    with chromium_page() as fresh:
        fresh.goto(link)
        idle(fresh)
        assert asked(fresh) == asked(page)
        chosen = {"layout": "6x2", "steps": "levels", "scale": "probability", "depth": "Levels"}
        assert asked(fresh) | chosen == asked(fresh)
        expect(fresh.locator('[data-panel="levels"]')).to_be_visible()
        assert identities(fresh) == {(str(case_store.test_stay), RUN)}


def test_a_patient_costs_less_than_300_kb_and_hidden_depth_nothing(url: str, case_store: CaseStore) -> None:
    with chromium_page() as page:
        received: list[int] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
        opened(page, url, stay=case_store.cohort[0], run=RUN)
        costs = []
        for stay_id in case_store.cohort[1:7]:
            received.clear()
            next_button(page).click()
            arrived(page, stay_id)
            costs.append(sum(received))
        print("bytes per patient:", costs)
        assert max(costs) < BYTES_PER_PATIENT
