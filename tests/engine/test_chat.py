"""ChatTemplate: templates of every well-known shape, and templates that fail or attack."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import CHATML, GEMMA, MISTRAL
from tgicli.core import Message, Tool, ToolCall
from tgicli.engine.chat import ChatTemplate
from tgicli.errors import RequestError, TemplateFailed

SYSTEM = Message("system", "Be kind.")
HELLO = Message("user", "Hello!")
HI = Message("assistant", "Hi.")
MORE = Message("user", "More?")

# Indented statements, as Llama 3's: they give no text because of trim_blocks and lstrip_blocks.
LLAMA3 = """\
{% for message in messages %}
    {% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'
        + message['content'] | trim + '<|eot_id|>' %}
    {% if loop.index0 == 0 %}
        {% set content = bos_token + content %}
    {% endif %}
    {{- content }}
{%- endfor %}
{% if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""
SMOLLM2_DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def render(source: str, *messages: Message, bos: str = "<s>", eos: str = "</s>") -> str:
    return ChatTemplate(source, bos=bos, eos=eos).render(messages)


@pytest.mark.parametrize(
    ("source", "messages", "text"),
    [
        (
            CHATML,
            (SYSTEM, HELLO),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n"
            "<|im_start|>assistant\n",
        ),
        (
            LLAMA3,
            (SYSTEM, HELLO),
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        (MISTRAL, (HELLO, HI, MORE), "<s>[INST] Hello! [/INST]Hi.</s>[INST] More? [/INST]"),
        (
            GEMMA,
            (HELLO, HI, MORE),
            "<s><start_of_turn>user\nHello!<end_of_turn>\n<start_of_turn>model\nHi.<end_of_turn>\n"
            "<start_of_turn>user\nMore?<end_of_turn>\n<start_of_turn>model\n",
        ),
    ],
    ids=["chatml", "llama3", "mistral", "gemma"],
)
def test_well_known_templates_write_what_their_models_know(
    source: str, messages: tuple[Message, ...], text: str
):
    assert render(source, *messages) == text


def test_a_refusal_speaks_the_words_of_the_template():
    with pytest.raises(RequestError) as caught:
        render(GEMMA, SYSTEM, HELLO)

    assert str(caught.value) == (
        "the model's chat template refuses the roles system, user: System role not supported;"
        " try it without the system message"
    )


def test_a_refusal_of_other_roles_blames_no_system_message():
    source = "{{ raise_exception('roles must alternate') }}"

    with pytest.raises(RequestError) as caught:
        render(source, HELLO, MORE)

    assert str(caught.value) == (
        "the model's chat template refuses the roles user, user: roles must alternate"
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ messages[7].content }}", "UndefinedError: list object has no element 7"),
        ("{{ nobody.name }}", "UndefinedError: 'nobody' is undefined"),
        ("{{ 'a' + 1 }}", "TypeError: can only concatenate str"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        ("{{ '{a}'.format() }}", "KeyError: 'a'"),
        ("{{ range(10 ** 9) }}", "OverflowError: Range too big"),
        ("{{ messages | tojson(indent=[]) }}", "TypeError"),
        (
            "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
            "RecursionError: maximum recursion depth exceeded",
        ),
    ],
    ids=["index", "undefined", "type", "zero", "format", "range", "json", "recursion"],
)
def test_a_template_that_fails_is_a_request_error(source: str, words: str):
    with pytest.raises(RequestError, match="the model's chat template fails: ") as caught:
        render(source, HELLO)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ messages.append(messages[0]) }}",
        "{{ messages[0].update(content='other') }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ (messages | attr('__class__')).__name__ }}",
    ],
)
def test_a_hostile_template_is_stopped(source: str):
    with pytest.raises(RequestError, match="SecurityError: access to attribute"):
        render(source, HELLO)


@pytest.mark.parametrize("source", ["{% include 'x' %}", "{% import 'os' as os %}"])
def test_a_template_loads_no_other(source: str):
    with pytest.raises(RequestError, match="no loader"):
        render(source, HELLO)


def test_a_template_with_wrong_syntax_names_its_line():
    with pytest.raises(RequestError, match="does not compile: line 3: Unexpected end of"):
        ChatTemplate("\n\n{% for message in messages %}", bos="", eos="")


def test_a_template_that_is_nested_too_deeply_does_not_compile():
    depth = 30

    with pytest.raises(RequestError, match="does not compile: SyntaxError: too many"):
        ChatTemplate("{% for a in 'b' %}" * depth + "{% endfor %}" * depth, bos="", eos="")


def test_what_a_message_says_is_not_a_template():
    message = Message("user", "{{ 7 * 7 }} {% raw %} <b> & 'é'")

    assert message.content in render(CHATML, message)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ messages | tojson }}", '[{"role": "user", "content": "<é> & \'"}]'),
        ("{{ 'é' | tojson(ensure_ascii=true) }}", r'"\u00e9"'),
        ("{{ {'b': 1, 'a': [2]} | tojson(indent=1) }}", '{\n "b": 1,\n "a": [\n  2\n ]\n}'),
    ],
    ids=["plain", "ascii", "indent"],
)
def test_json_is_written_for_models_not_for_browsers(source: str, text: str):
    assert render(source, Message("user", "<é> & '")) == text


def test_a_template_may_leave_and_skip_loops():
    source = "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}\
{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}"

    assert render(source, HELLO) == "023"


def test_a_template_may_mark_what_the_assistant_says():
    source = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"

    assert render(source, HELLO, HI) == "Hello!Hi."


def test_a_template_may_ask_for_the_date():
    years = {str(datetime.date.today().year)}

    year = render("{{ strftime_now('%Y') }}", HELLO)

    assert year in years | {str(datetime.date.today().year)}


def test_tools_and_documents_are_none():
    assert render("{{ tools is none }} {{ documents is none }}", HELLO) == "True True"


ADD = Tool("add", None, '{"type": "object"}')
NOW = Tool("now", "The <time>.", '{"type": "object"}')
CALLING = Message("assistant", "", (ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "now", "{")))
ANSWERING = Message("tool", "3", tool_call_id="c1")


def test_a_template_that_knows_tools_gets_their_definitions():
    template = ChatTemplate("{{ tools | tojson }}", bos="", eos="")

    text = template.render([HELLO], tools=[ADD, NOW])

    assert json.loads(text) == [
        {
            "type": "function",
            "function": {"name": name, "description": words, "parameters": {"type": "object"}},
        }
        for name, words in [("add", ""), ("now", "The <time>.")]
    ]


def test_a_template_that_knows_calls_gets_them_with_arguments_as_objects():
    text = render("{{ messages | tojson }}{{ messages[0].tool_calls }}", HELLO, CALLING, ANSWERING)

    assert json.loads(text) == [
        {"role": "user", "content": "Hello!"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "add", "arguments": {"a": 1}},
                },
                {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{"}},
            ],
        },
        {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
    ]


def test_a_template_that_knows_no_calls_shows_them_as_the_model_wrote_them():
    text = render("{{ messages[0].content }}", CALLING)

    assert text == ('{"name": "add", "arguments": {"a": 1}}\n{"name": "now", "arguments": "{"}')


@pytest.mark.parametrize("source", ["{{ messages[0].content }}", "{{ messages[0].tool_calls }}"])
def test_arguments_that_no_json_reader_reads_stay_as_they_are(source: str):
    deep = "[" * 100_000

    text = render(source, Message("assistant", "", (ToolCall("c1", "add", deep),)))

    assert deep in text


def test_a_tool_that_is_nested_too_deeply_is_refused():
    template = ChatTemplate("{{ messages }}", bos="", eos="")

    with pytest.raises(TemplateFailed, match="nested too deeply"):
        template.render([HELLO], tools=[Tool("deep", None, "[" * 100_000)])


@pytest.mark.parametrize("first", [SYSTEM, HELLO], ids=["system", "user"])
def test_a_template_that_knows_no_tools_gets_them_at_the_end_of_the_first_message(first: Message):
    source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    template = ChatTemplate(source, bos="", eos="")

    text = template.render([first, MORE], tools=[ADD, NOW])

    assert text.endswith("}<user>More?")
    assert text.startswith(f"<{first.role}>{first.content}\n\nYou can call these functions:\n")
    *definitions, how = text.splitlines()[3:]
    assert [json.loads(line)["name"] for line in definitions] == ["add", "now"]
    assert how.startswith("To call one, answer with a JSON object and nothing else: {")


def test_tools_stand_in_a_message_of_their_own_before_an_assistants():
    source = "{% for m in messages %}<{{ m.role }}>{% endfor %}"

    assert ChatTemplate(source, bos="", eos="").render([HI, MORE], tools=[ADD]) == (
        "<user><assistant><user>"
    )


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        (CHATML, "<|im_start|>assistant\nOnce upon "),
        (LLAMA3, "<|start_header_id|>assistant<|end_header_id|>\n\nOnce upon"),
        (MISTRAL, "[INST] Hello! [/INST]Once upon "),
        (GEMMA, "<start_of_turn>model\nOnce upon"),
    ],
    ids=["chatml", "llama3", "mistral", "gemma"],
)
def test_an_answer_goes_on_from_the_last_message_trimmed_as_the_template_does(
    source: str, ending: str
):
    messages = [HELLO, Message("assistant", "Once upon ")]

    text = ChatTemplate(source, bos="<s>", eos="</s>").render(messages, continues=True)

    assert text.endswith(ending)


def test_an_answer_may_go_on_from_nothing():
    template = ChatTemplate(CHATML, bos="", eos="")

    text = template.render([HELLO, Message("assistant", "")], continues=True)

    assert text.endswith("<|im_start|>assistant\n")


def test_a_template_that_hides_the_last_message_lets_no_answer_go_on():
    template = ChatTemplate("{{ messages[0].content }}", bos="", eos="")

    with pytest.raises(TemplateFailed, match="does not show the text of the last message"):
        template.render([HELLO, HI], continues=True)


@pytest.mark.parametrize("source", ["{{ nobody.name }}", "{{ raise_exception('no') }}"])
def test_what_templates_do_wrong_is_a_class_of_its_own(source: str):
    with pytest.raises(TemplateFailed):
        render(source, HELLO)


def read_template(path: Path) -> str:
    """Read the template as llama.cpp sees it, without loading the weights."""
    from tgicli.engine.llama import llama_cpp, quiet_log

    quiet_log()
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    try:
        return str(llama_cpp.llama_model_chat_template(model, None).decode())
    finally:
        llama_cpp.llama_model_free(model)


def apply_with_llama_cpp(source: str, *messages: Message) -> str:
    """Render with the templates that llama.cpp has built in; it recognises the source."""
    from tgicli.engine.llama import llama_cpp

    chat: Any = (llama_cpp.llama_chat_message * len(messages))(
        *((m.role.encode(), m.content.encode()) for m in messages)
    )
    buffer = bytes(4096)
    count = llama_cpp.llama_chat_apply_template(
        source.encode(), chat, len(messages), True, buffer, len(buffer)
    )
    return buffer[:count].decode()


@pytest.mark.model
def test_the_demo_model_gets_its_default_system_message(demo_model: Path):
    source = read_template(demo_model)

    text = render(source, HELLO, bos="<|im_start|>", eos="<|im_end|>")

    assert text == (
        f"<|im_start|>system\n{SMOLLM2_DEFAULT_SYSTEM}<|im_end|>\n"
        "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.model
def test_the_demo_model_is_spoken_to_as_llama_cpp_does(demo_model: Path):
    source = read_template(demo_model)

    text = render(source, SYSTEM, HELLO, HI, MORE, bos="<|im_start|>", eos="<|im_end|>")

    assert text == apply_with_llama_cpp(source, SYSTEM, HELLO, HI, MORE)
