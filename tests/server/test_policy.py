"""The pages' policy: it lets them work in a real browser, and nothing else."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.server.conftest import OpenUrl, RunningServer, running_server
from tgicli.wire.openapi import openapi_document

POLICY = {
    "default-src 'none'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}
PAGES = ("/", "/docs")

# What a page that shows a stranger's text must not do; each gives the name of the error, or none.
ATTEMPTS = {
    "a script in the text": """async () => {
        const script = document.createElement("script");
        script.textContent = "window.hurt = true";
        document.body.append(script);
        return String(window.hurt);
    }""",
    "a handler in the text": """async () => {
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hurt = true'>");
        await new Promise((done) => setTimeout(done, 200));
        return String(window.hurt);
    }""",
    "evaluated text": """async () => {
        setTimeout("window.hurt = true");
        await new Promise((done) => setTimeout(done, 200));
        return String(window.hurt);
    }""",
    "a style in the text": """() => {
        document.body.insertAdjacentHTML("beforeend", "<p id=hurt style='color: red'>x</p>");
        const colour = getComputedStyle(document.getElementById("hurt")).color;
        return colour === "rgb(255, 0, 0)" ? "red" : "undefined";
    }""",
    "a request to elsewhere": """async () => {
        try { await fetch("http://127.0.0.1:9/"); return "sent"; }
        catch (e) { return "undefined"; }
    }""",
}


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Iterator[RunningServer]:
    """A server that asks for a key."""
    options = ["--api-key", "sesame", "--max-total-tokens", "128", "--threads", "1"]
    with running_server(tiny_model, *options) as one:
        yield one


def policy_of(server: RunningServer, path: str) -> list[str]:
    request = urllib.request.Request(server.url + path, headers={"accept": "text/html"})
    with urllib.request.urlopen(request) as reply:
        assert reply.headers["x-content-type-options"] == "nosniff"
        return str(reply.headers["content-security-policy"]).split("; ")


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_allowed_but_the_pages_own_script_and_style(tiny: RunningServer, path: str):
    policy = policy_of(tiny, path)

    assert set(policy) >= POLICY
    (script,) = (one for one in policy if one.startswith("script-src "))
    (style,) = (one for one in policy if one.startswith("style-src "))
    assert re.fullmatch(r"script-src 'sha256-[\w+/]{43}='", script)
    assert re.fullmatch(r"style-src 'sha256-[\w+/]{43}='", style)
    assert len(policy) == len(POLICY) + 2


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_a_stranger_s_text_can_do_nothing(
    browser: object, tiny: RunningServer, path: str, attempt: str
):
    page = browser.new_context().new_page()  # type: ignore[attr-defined]  # a playwright Browser
    page.goto(tiny.url + path)

    assert page.evaluate(attempt) == "undefined"

    page.context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_not_be_framed(open_url: OpenUrl, tiny: RunningServer, path: str):
    page = open_url("about:blank")

    page.set_content(f"<iframe src='{tiny.url}{path}'></iframe>")
    page.wait_for_load_state("networkidle")

    assert len(page.frames) == 2
    assert page.frames[1].locator("main").count() == 0


def test_the_docs_show_every_route_once_there_is_a_key(open_url: OpenUrl, tiny: RunningServer):
    page = open_url(f"{tiny.url}/docs")
    field, opened = page.get_by_label("API key"), page.locator("#routes > details[open]")

    expect(page.locator("#routes")).to_contain_text("status 401")
    field.fill("wrong")
    field.press("Enter")
    expect(page.locator("#routes")).to_contain_text("does not accept this API key")
    field.fill("sesame")
    field.press("Enter")

    expect(page.locator("#routes > details")).to_have_count(16)
    assert field.is_hidden()
    page.get_by_text("POST /v1/chat/completions").click()
    expect(opened).to_contain_text("-H 'Authorization: Bearer YOUR_KEY'")
    for kind in ("ChatBody", "ChatMessage", "ToolDefinition", "ChatCompletion", "ErrorAnswer"):
        expect(opened.locator("h3, summary").get_by_text(kind, exact=True)).to_have_count(1)
    opened.get_by_text("Refusals", exact=True).click()
    expect(opened).to_contain_text("429: Busy")


def test_the_docs_and_their_examples_lead_to_where_they_came_from(
    open_url: OpenUrl, tiny: RunningServer
):
    page = open_url("about:blank")
    page.context.set_extra_http_headers({"authorization": "Bearer sesame"})
    # A proxy that serves us below a path of its own.
    page.route(
        "**/llm/*",
        lambda route: route.fulfill(
            response=route.fetch(url=route.request.url.replace("/llm", ""))
        ),
    )

    page.goto(f"{tiny.url}/llm/docs")

    page.get_by_text("POST /generate_stream").click()
    expect(page.locator("details[open] pre").first).to_contain_text(
        f"{tiny.url}/llm/generate_stream"
    )
    page.get_by_role("link", name="The demo page").click()
    expect(page.locator("#model")).to_contain_text("tokens")
    assert page.url == f"{tiny.url}/llm/"


NO_STORAGE = """
Object.defineProperty(window, "sessionStorage", { get() { throw new DOMException("forbidden"); } });
"""


@pytest.mark.parametrize("script", ["", NO_STORAGE], ids=["stored", "not stored"])
def test_the_demo_page_takes_a_key_and_streams(open_url: OpenUrl, tiny: RunningServer, script: str):
    page = open_url(tiny.url, script=script)

    page.get_by_label("API key").fill("sesame")
    page.get_by_label("Max new tokens").fill("8")
    with page.expect_response("**/generate_stream") as streamed:
        page.get_by_role("button", name="Generate", exact=True).click()

    assert streamed.value.status == 200
    expect(page.locator("#columns")).to_contain_text("Done")


def test_both_pages_are_open_to_all_and_the_document_is_not(tiny: RunningServer):
    statuses = {path: tiny.get(path)[0] for path in ("/", "/docs", "/health", "/ping")}
    guarded = {path: tiny.get(path)[0] for path in ("/openapi.json", "/info", "/metrics")}

    assert set(statuses.values()) == {200}
    assert set(guarded.values()) == {401}


def test_the_document_says_which_routes_need_no_key():
    paths = json.loads(openapi_document("1"))["paths"]

    open_ones = {path for path, ways in paths.items() if ways.get("get", {}).get("security") == []}
    assert open_ones == {"/", "/docs", "/health", "/ping"}
