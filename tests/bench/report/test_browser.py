"""The report in a real browser: it fits, it is dark at night, it asks for nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.report.pages import comparison_page, streaming_page
from tests.bench.results import closed_run, open_run
from tests.clients.installing import program
from tgicli.bench.report.page import to_html

OpenReport = Callable[..., Page]
OF_LOADS = pytest.mark.parametrize("file", ["closed", "open"], indirect=True)

# The text of every chart is to be inside of it, and no two are to be at one place.
LOST_WORDS = """() => [...document.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll("text")].map((text) => [text.textContent,
    text.getBoundingClientRect()]);
  const name = svg.querySelector("title").textContent;
  const outside = boxes.filter(([, box]) => box.left < frame.left - 1 || box.top < frame.top - 1
    || box.right > frame.right + 1 || box.bottom > frame.bottom + 1);
  const over = boxes.filter(([, a], i) => boxes.slice(0, i).some(([, b]) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4));
  return [...outside, ...over].map(([text]) => `${name}: ${text}`);
})"""


@pytest.fixture(scope="module")  # while it is open, playwright's event loop is the thread's
def browser() -> Iterator[Browser]:
    """Chromium, or the test is skipped."""
    path = program("chromium")
    with sync_playwright() as driver, driver.chromium.launch(executable_path=path) as chromium:
        yield chromium


def of_loads(kind: str) -> str:
    result, records = closed_run(1, 4, 16) if kind == "closed" else open_run(2, 4, 8)
    return to_html(result, records)


@pytest.fixture(scope="module", params=["closed", "open", "comparison", "streaming"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report: of three points, of two sides, or of streams and whole answers."""
    match request.param:
        case "comparison":
            text = comparison_page(noise={"ttft": 0.03})
        case "streaming":
            text = streaming_page()
        case kind:
            text = of_loads(kind)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def open_report(browser: Browser, file: Path) -> Iterator[OpenReport]:
    """Return a function that opens it; what the browser complains about fails the test."""
    heard: list[str] = []

    def open_report(**options: Any) -> Page:
        page = browser.new_context(**options).new_page()
        page.on("console", lambda line: heard.append(line.text))
        page.on("request", lambda asked: heard.append(asked.url))
        page.goto(file.as_uri())
        return page

    yield open_report
    for context in browser.contexts:
        context.close()
    assert heard == [file.as_uri()] * len(heard)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_is_wider_than_the_window(open_report: OpenReport, width: int, scheme: str):
    page = open_report(viewport={"width": width, "height": 640}, color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = max(int(channel) for channel in re.findall(r"\d+", ground)) < 64
    assert is_dark == (scheme == "dark")


@pytest.mark.parametrize("width", [360, 1280])
def test_no_word_of_a_chart_is_cut_or_covered(open_report: OpenReport, width: int):
    page = open_report(viewport={"width": width, "height": 640})

    assert page.evaluate(LOST_WORDS) == []


@OF_LOADS
def test_the_figures_of_three_points_need_no_scrolling_on_a_screen(open_report: OpenReport):
    page = open_report(viewport={"width": 1280, "height": 900})

    table = page.get_by_role("region", name="Figures of all points")

    assert table.evaluate("e => e.scrollWidth <= e.clientWidth")


@OF_LOADS
def test_validity_is_the_first_thing_seen(open_report: OpenReport):
    page = open_report(viewport={"width": 390, "height": 640})

    banner = page.get_by_label("Validity").bounding_box()

    assert banner
    assert banner["y"] + banner["height"] < 640


@OF_LOADS
def test_what_scrolls_is_reached_by_the_keyboard(open_report: OpenReport):
    page = open_report(viewport={"width": 390, "height": 640})

    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")

    assert focused == "Figures of all points"


def test_it_can_be_printed(open_report: OpenReport):
    page = open_report(color_scheme="dark")

    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert page.pdf(format="A4").startswith(b"%PDF")


@OF_LOADS
def test_a_chart_is_named_for_who_can_not_see_it(open_report: OpenReport):
    page = open_report()

    names = [picture.get_attribute("aria-labelledby") for picture in page.get_by_role("img").all()]

    assert len(names) >= 18
    assert page.get_by_role("img", name=re.compile("TTFT.*: histogram")).count() >= 3
