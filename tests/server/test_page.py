"""The demo page in a real browser, before a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Locator, Page, Request, Route, expect

import tgicli.server
from tests.server.conftest import (
    OpenUrl,
    RunningServer,
    eventually,
    running_server,
    taken_place,
)

pytestmark = pytest.mark.model
FILE = Path(tgicli.server.__file__).parent / "static/index.html"
KEY = "sesame"

# Notes what a reader has seen, each time that anything changes.
WATCH = """() => {
  window.seen = [];
  const length = (id) => document.querySelector(`#${id} pre`).textContent.length;
  const box = ({ x, y, width, height }) => [x, y + scrollY, width, height].join();
  new MutationObserver(() => seen.push({
    streaming: length("streaming"), waiting: length("waiting"),
    boxes: [...document.querySelectorAll("section, section > *")]
      .map((part) => box(part.getBoundingClientRect())).join(" "),
  })).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""

# Hands the page every answer byte by byte, and keeps what it was made of.
CUT = """
const ask = window.fetch;
window.fetch = async (...args) => {
  const response = await ask(...args);
  if (!String(args[0]).includes("generate_stream")) return response;
  response.clone().text().then((text) => { window.raw = text; });
  const cut = new TransformStream({
    transform(bytes, out) { for (const byte of bytes) out.enqueue(new Uint8Array([byte])); },
  });
  return new Response(response.body.pipeThrough(cut), response);
};
"""


@dataclass(frozen=True)
class Demo:
    """The page, in the words of who uses it."""

    page: Page

    def generate(self, prompt: str = "Once upon a time", **settings: object) -> None:
        """Fill in the form, greedy unless told otherwise, and press the button."""
        for label, value in {"Temperature": 0, **settings}.items():
            self.page.get_by_label(label.replace("_", " ")).fill(str(value))
        self.page.get_by_label("Prompt").fill(prompt)
        self.button("Generate").click()

    def button(self, name: str) -> Locator:
        """Return one of the form's buttons."""
        return self.page.get_by_role("button", name=name, exact=True)

    def column(self, name: str) -> Locator:
        """Return the column called Streaming or Waiting."""
        return self.page.locator("section").and_(self.page.get_by_label(name, exact=True))

    def text(self, name: str) -> Locator:
        """Return where a column's text appears."""
        return self.column(name).locator("pre")

    def both_say(self, words: str) -> None:
        """Wait until both columns say how it ended."""
        for name in ("Streaming", "Waiting"):
            expect(self.column(name)).to_contain_text(words)


OpenPage = Callable[..., Demo]


@pytest.fixture
def open_page(open_url: OpenUrl) -> OpenPage:
    """Return a function that opens a server's page in a browser that knows nothing yet."""
    return lambda server, **options: Demo(open_url(server.url, **options))


@pytest.fixture
def demo(open_page: OpenPage, server: RunningServer) -> Demo:
    """The page of a server with places for all."""
    return open_page(server)


def answer_with(body: str, *, status: int = 200) -> Callable[[Route], None]:
    """Return a route that answers in the server's place."""
    return lambda route: route.fulfill(status=status, body=body)


def token(text: str) -> dict[str, object]:
    """Return an event that is not the last one."""
    return {"token": {"text": text, "special": False}, "generated_text": None}


def inputs_of(request: Request) -> str:
    """Return the prompt that a request holds."""
    return str(json.loads(request.post_data or "")["inputs"])


def n_cancelled(server: RunningServer) -> int:
    """Return how many requests ended because their reader went away."""
    found = re.search(rb"^tgicli_cancellations ([0-9.]+)$", server.get("/metrics")[1], re.MULTILINE)
    assert found
    return int(float(found[1]))


def test_the_page_needs_nothing_from_elsewhere_and_nothing_evaluated():
    source = FILE.read_text()

    assert re.findall(r"https?:|//\w+\.|@import|\beval\b|new Function", source) == []
    assert re.findall(r"<[^>]*\s(?:on\w+|style|src)=", source) == []


def test_the_page_names_the_model_and_its_limits(demo: Demo, server: RunningServer):
    info = json.loads(server.get("/info")[1])

    expect(demo.page.locator("#model")).to_contain_text(info["model_id"])
    expect(demo.page.locator("#model")).to_contain_text("1024 tokens")


def test_text_is_read_in_the_streaming_column_long_before_the_waiting_one(demo: Demo):
    demo.page.evaluate(WATCH)

    demo.generate(Max_new_tokens=64)
    demo.both_say("Done: max new tokens reached")

    seen = demo.page.evaluate("seen")
    while_waiting = {s["streaming"] for s in seen if s["waiting"] == 0 and s["streaming"] > 0}
    assert len(while_waiting) > 5
    assert seen[-1]["waiting"] > 0


def test_each_column_shows_its_times_and_its_tokens(demo: Demo):
    demo.generate(Max_new_tokens=24)
    demo.both_say("Done")

    for name in ("Streaming", "Waiting"):
        first, total, n_tokens, rate = demo.column(name).locator("dd").all_text_contents()
        assert re.fullmatch(r"\d+ ms|\d+\.\d\d s", first)
        assert re.fullmatch(r"\d+ ms|\d+\.\d\d s", total)
        assert n_tokens == "24"
        assert float(rate) > 0
    expect(demo.page.locator("#summary")).to_contain_text("With streaming, reading began after")


def test_nothing_moves_while_text_streams(demo: Demo):
    demo.page.evaluate(WATCH)

    demo.generate(Max_new_tokens=200)
    demo.both_say("Done")

    assert len({s["boxes"] for s in demo.page.evaluate("seen")}) == 1


def test_stop_ends_both_and_the_server_computes_no_further(demo: Demo, server: RunningServer):
    n_before = n_cancelled(server)
    demo.generate(Max_new_tokens=900)
    expect(demo.text("Streaming")).not_to_be_empty()

    demo.button("Stop").click()

    demo.both_say("Stopped")
    expect(demo.text("Streaming")).not_to_be_empty()
    expect(demo.text("Waiting")).to_be_empty()
    assert eventually(lambda: n_cancelled(server) == n_before + 2)


def test_the_keyboard_is_enough(demo: Demo):
    keyboard, focused = demo.page.keyboard, "document.activeElement.id"
    keyboard.press("Tab")
    keyboard.press("Control+A")
    keyboard.type("Once upon a time")
    keyboard.press("Tab")
    keyboard.type("900")
    order = []
    for _ in range(4):
        keyboard.press("Tab")
        order.append(demo.page.evaluate(focused))

    keyboard.press("Control+Enter")
    expect(demo.text("Streaming")).not_to_be_empty()
    keyboard.press("Escape")

    assert order == ["temperature", "chat", "stop", "generate"]
    demo.both_say("Stopped")
    assert demo.page.evaluate(focused) == "generate"


def test_a_screen_reader_hears_beginning_and_end_but_no_token(demo: Demo):
    demo.generate(Max_new_tokens=32)
    demo.both_say("Done")

    heard = demo.page.get_by_role("log").inner_text().splitlines()
    assert heard[0] == "Generating"
    assert sorted(line.split(",")[0] for line in heard[1:]) == [
        "Streaming: Done: max new tokens reached",
        "Waiting: Done: max new tokens reached",
    ]
    assert demo.page.locator("pre[aria-live], output").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_is_wider_than_the_window(
    open_page: OpenPage, server: RunningServer, width: int, scheme: str
):
    demo = open_page(server, viewport={"width": width, "height": 640}, color_scheme=scheme)

    demo.generate("x" * 200, Max_new_tokens=16)
    demo.both_say("Done")

    assert demo.page.evaluate("document.documentElement.scrollWidth") <= width
    channels = demo.page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = max(int(channel) for channel in re.findall(r"\d+", channels)) < 64
    assert is_dark == (scheme == "dark")


def test_columns_stand_one_above_the_other_on_a_phone(open_page: OpenPage, server: RunningServer):
    demo = open_page(server, viewport={"width": 320, "height": 640})

    streaming = demo.column("Streaming").bounding_box()
    waiting = demo.column("Waiting").bounding_box()

    assert streaming
    assert waiting
    assert streaming["x"] == waiting["x"]
    assert streaming["y"] + streaming["height"] < waiting["y"]


def test_a_busy_server_is_asked_again_when_it_said(open_page: OpenPage, demo_model: Path):
    with running_server(demo_model, "--max-concurrent-requests", "1") as server:
        demo = open_page(server)
        again = demo.column("Streaming").get_by_role("button")

        with taken_place(server):
            demo.generate(Max_new_tokens=16)
            demo.both_say("Busy: Model is overloaded")
            expect(again).to_have_text(re.compile(r"Try again in \d+ s"))
            assert again.is_disabled()
        again.click()  # waits until it is enabled

        expect(demo.column("Streaming")).to_contain_text("Done")
        expect(again).to_be_hidden()
        expect(demo.column("Waiting")).to_contain_text("Busy: Model is overloaded")


def test_a_server_with_one_place_is_asked_one_after_the_other(
    open_page: OpenPage, demo_model: Path
):
    with running_server(demo_model, "--max-concurrent-requests", "1") as server:
        demo = open_page(server)
        expect(demo.page.locator("#model")).to_contain_text("1 requests at once")

        demo.generate(Max_new_tokens=4)

        demo.both_say("Done")


def test_colours_of_the_users_own_keep_the_bar(open_page: OpenPage, server: RunningServer):
    demo = open_page(server, forced_colors="active")
    demo.generate(Max_new_tokens=4)
    demo.both_say("Done")

    bar = demo.column("Streaming").locator(".bar i")
    assert "gradient" in bar.evaluate("bar => getComputedStyle(bar).backgroundImage")


def test_a_refusal_is_shown_in_the_servers_words(demo: Demo):
    demo.generate(Max_new_tokens=1024)

    demo.both_say("`inputs` tokens + `max_new_tokens` must be <= 1024")
    demo.both_say("Refused")


def test_a_key_is_asked_for_and_kept_in_the_tab(open_page: OpenPage, demo_model: Path):
    with running_server(demo_model, "--api-key", KEY) as server:
        demo = open_page(server)
        field = demo.page.get_by_label("API key")

        expect(field).to_be_focused()
        field.fill("wrong")
        field.press("Enter")
        demo.both_say("The server does not accept this API key.")
        field.fill(KEY)
        demo.generate(Max_new_tokens=4)
        demo.both_say("Done")
        demo.page.reload()
        expect(demo.page.locator("#model")).to_contain_text("tokens")

        assert field.is_hidden()
        assert demo.page.evaluate("localStorage.length") == 0
        assert KEY not in demo.page.url


def test_the_chat_template_is_applied_by_the_server(demo: Demo):
    demo.page.get_by_label("Chat template").check()

    with demo.page.expect_request("**/generate_stream") as asked:
        demo.generate("Say hello", Max_new_tokens=4)

    demo.both_say("Done")
    assert "<|im_start|>user\nSay hello<|im_end|>" in inputs_of(asked.value)


def test_a_template_that_writes_bos_leaves_one(
    open_page: OpenPage, tiny_models: Callable[[str], Path]
):
    with running_server(tiny_models("llama_spm"), "--max-total-tokens", "256") as server:
        demo = open_page(server)
        demo.page.get_by_label("Chat template").check()
        with demo.page.expect_request("**/generate_stream") as asked:
            demo.generate("hello", Max_new_tokens=4)
        demo.both_say("Done")
        _, tokens = server.post("/tokenize", {"inputs": inputs_of(asked.value)})
        body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
        _, chat = server.post("/v1/chat/completions", body)

    assert inputs_of(asked.value) == "[INST] hello [/INST]"
    assert len(tokens) == chat["usage"]["prompt_tokens"]


def test_without_a_chat_template_the_prompt_is_sent_as_it_is(demo: Demo):
    refusal = json.dumps({"error": "Template error: none", "error_type": "template_error"})
    demo.page.route("**/chat_tokenize", answer_with(refusal, status=422))
    demo.page.get_by_label("Chat template").check()

    with demo.page.expect_request("**/generate_stream") as asked:
        demo.generate("Say hello", Max_new_tokens=4)

    demo.both_say("Done")
    assert inputs_of(asked.value) == "Say hello"
    expect(demo.page.locator("#note")).to_contain_text("Template error: none")


def test_a_real_stream_cut_at_every_byte_is_read_whole(open_page: OpenPage, server: RunningServer):
    demo = open_page(server, script=CUT)

    demo.generate("Emoji: 😀 😃 😄 Ünï", Max_new_tokens=24)
    demo.both_say("Done")

    events = [json.loads(line[5:]) for line in demo.page.evaluate("raw").split("\n\n") if line]
    assert len(events) == 24
    assert demo.text("Streaming").text_content() == events[-1]["generated_text"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("colon", ["data:", "data: "])
def test_a_stream_is_read_however_it_is_framed(
    open_page: OpenPage, server: RunningServer, newline: str, colon: str
):
    demo = open_page(server, script=CUT)
    special = {"token": {"text": "</s>", "special": True}, "generated_text": " né 😀"}
    events = [token(" né"), token(""), token(" 😀"), special]
    lines = [":", "", f"{colon}[DONE]"]
    for event in events:  # each is several lines
        lines += ["", *(f"{colon}{part}" for part in json.dumps(event, indent=1).splitlines())]
    body = newline.join(lines)  # without an empty line at its end
    demo.page.route("**/generate_stream", answer_with(body))

    demo.generate(Max_new_tokens=4)
    demo.both_say("Done")

    assert demo.text("Streaming").text_content() == " né 😀"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ([{"error": "the model fell over", "error_type": "generation"}], "the model fell over"),
        ([], "The stream broke off before its last event."),
    ],
    ids=["error", "nothing"],
)
def test_a_stream_that_breaks_keeps_its_text_and_says_why(
    demo: Demo, end: list[dict[str, object]], words: str
):
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in [token("Once"), *end])
    demo.page.route("**/generate_stream", answer_with(body))

    demo.generate(Max_new_tokens=4)

    expect(demo.column("Streaming")).to_contain_text(words)
    expect(demo.column("Streaming")).to_contain_text("Failed")
    expect(demo.text("Streaming")).to_have_text("Once")


def test_a_server_that_is_gone_is_said_to_be(demo: Demo):
    for path in ("generate", "generate_stream"):
        demo.page.route(f"**/{path}", lambda route: route.abort())

    demo.generate()

    demo.both_say("The connection failed or broke")
