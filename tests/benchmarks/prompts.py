"""Prompts in many scripts, for comparing answers token by token. Data only."""

# ruff: noqa: RUF001  # letters of many scripts look alike, and are meant

from __future__ import annotations

PROMPTS: dict[str, str] = {
    "English, a fact": "The capital of France is",
    "English, a story": "Once upon a time, in a village by the sea, there lived a clockmaker who",
    "English, a list": "Five things to pack for a walk in the mountains:\n1.",
    "English, a dialogue": "Customer: My parcel has not arrived.\nClerk:",
    "English, chat markup": (
        "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"
    ),
    "Chinese, a fact": "中国的首都是北京，它的历史可以追溯到",
    "Chinese, a poem": "床前明月光，疑是地上霜。",
    "Chinese, traditional": "臺灣的夜市有許多小吃，例如",
    "Japanese": "むかしむかし、あるところに、おじいさんと",
    "Korean": "대한민국의 수도는 서울이며,",
    "Arabic, a fact": "عاصمة مصر هي القاهرة وهي مدينة",
    "Arabic, with vowels": "السَّلَامُ عَلَيْكُمْ",
    "Hebrew": "ירושלים היא עיר",
    "Hindi, a fact": "भारत की राजधानी नई दिल्ली है और",
    "Hindi, a question": "आप कैसे हैं?",
    "Thai": "กรุงเทพมหานครเป็นเมืองหลวงของ",
    "Russian": "Москва — столица России, и",
    "Greek": "Η Αθήνα είναι η πρωτεύουσα της",
    "German": "Die größte Stadt in Österreich heißt",
    "French": "Il était une fois, dans une forêt très éloignée,",
    "Spanish": "¿Cuál es la capital de España? La respuesta es",
    "emoji": "🎉🎂🥳 Happy birthday! 🎈",
    "emoji, joined": "The family 👨‍👩‍👧‍👦 and the flags 🇫🇷🇯🇵🏳️‍🌈 mean",
    "Python": "def fibonacci(n: int) -> int:\n    ",
    "C": "#include <stdio.h>\n\nint main(void) {\n\tfor (int i = 0; i < 10; i++) {\n\t\t",
    "SQL": "SELECT name, COUNT(*) FROM orders\nWHERE",
    "JSON": '{"name": "Ada", "born": 1815, "tags": ["mathematics",',
    "HTML": "<!DOCTYPE html>\n<html>\n<head>\n<title>",
    "mathematics": "∀x ∈ ℝ: x² ≥ 0, because ∫₀¹ x dx =",
    "escapes as they are": 'In C, "\\n" is a newline, "\\t" is a tab, and "\\x41" is',
    "newlines at the end": "# Heading\n\nA paragraph.\n\n",
    "spaces and tabs": "  a\t\tb   c \r\n d",
    **{
        f"English, {n} lines": "".join(
            f"Item {line}: a box of {line * line} nails and one hammer.\n"
            for line in range(1, n + 1)
        )
        for n in (6, 10, 12, 20)
    },
    **{
        f"Chinese, {n} lines": "".join(
            f"第{line}章：今天是第{line}天，天气很好。" for line in range(1, n + 1)
        )
        for n in (3, 6, 12)
    },
}
