"""How the HTML report looks: one style sheet, light and dark, on a phone and on paper.

The colours are pairs of a light and a dark page; each is readable on its ground (a test counts the
contrast).
"""

from __future__ import annotations

LIGHT = {
    "page": "#f6f6f4",
    "card": "#ffffff",
    "text": "#1c1c20",
    "quiet": "#5b5b66",
    "line": "#dadade",
    "edge": "#83838d",
    "accent": "#3350cf",
    "second": "#a34300",
    "wait": "#b4b4be",
    "bad": "#b3191d",
    "measured": "#eef0fb",
    "valid": "#14623a",
    "valid-card": "#e6f4ea",
    "warned": "#7a4300",
    "warned-card": "#fff3dd",
    "invalid": "#9d1519",
    "invalid-card": "#fdeaea",
}
DARK = {
    "page": "#121215",
    "card": "#1b1b20",
    "text": "#ececf1",
    "quiet": "#a6a6b3",
    "line": "#33333c",
    "edge": "#787884",
    "accent": "#93a5ff",
    "second": "#ffb066",
    "wait": "#5a5a66",
    "bad": "#ff8080",
    "measured": "#23242f",
    "valid": "#8fe0ad",
    "valid-card": "#14301f",
    "warned": "#ffca78",
    "warned-card": "#33280f",
    "invalid": "#ffa3a3",
    "invalid-card": "#3a1b1d",
}

_RULES = """
* { box-sizing: border-box; margin: 0; }
body {
  margin: 0 auto; padding: 1.25rem clamp(.75rem, 3vw, 2rem) 2rem; max-width: 76rem;
  background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif;
}
main { display: grid; gap: 1rem; margin-block: 1rem; }
main > *, .charts > * { min-width: 0; }
h1 { font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; }
h3 { font-size: .9375rem; }
code { font: .8125rem ui-monospace, monospace; overflow-wrap: anywhere; }
.quiet, figcaption { color: var(--quiet); font-size: .875rem; }
section {
  display: grid; gap: .75rem; padding: 1rem; min-width: 0;
  background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
}
.verdict { border-color: currentColor; }
.verdict .word { font-weight: 700; letter-spacing: .02em; margin-right: 1rem; }
.verdict .facts { display: flex; flex-wrap: wrap; gap: 0 1.25rem; color: var(--text); }
.verdict li { color: var(--text); overflow-wrap: anywhere; }
.valid { color: var(--valid); background: var(--valid-card); }
.warned { color: var(--warned); background: var(--warned-card); }
.invalid { color: var(--invalid); background: var(--invalid-card); }
ul { padding-left: 1.25rem; }
pre {
  padding: .5rem .75rem; white-space: pre-wrap; background: var(--page); border-radius: .375rem;
}
dl { display: flex; flex-wrap: wrap; gap: .5rem 1.75rem; }
dt { color: var(--quiet); font-size: .8125rem; }
dd { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; }
caption { text-align: left; color: var(--quiet); font-size: .875rem; padding-bottom: .375rem; }
caption span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 4rem); }
th, td { padding: .25rem .4375rem; text-align: right; white-space: nowrap; vertical-align: top; }
th[scope="row"], thead tr:first-child th:first-child { text-align: left; padding-left: 0; }
tbody th { position: sticky; left: 0; background: var(--card); }
thead th { color: var(--quiet); font-weight: 600; font-size: .8125rem; vertical-align: bottom; }
th[scope="colgroup"] { text-align: center; border-bottom: 1px solid var(--line); }
tbody tr { border-top: 1px solid var(--line); }
td small { display: block; color: var(--quiet); font-size: .6875rem; }
td .most { color: var(--quiet); font-size: .75rem; }
.charts {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
}
.charts .wide { grid-column: 1 / -1; }
figure { display: grid; gap: .25rem; align-content: start; }
svg {
  display: block; width: 100%; height: auto; max-width: 30rem; font: 12px system-ui, sans-serif;
}
.wide svg { max-width: none; min-width: 40rem; }
svg text { fill: var(--quiet); font-variant-numeric: tabular-nums; }
svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; }
svg path, svg circle { fill: none; stroke-width: 1.75; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .tick { stroke: var(--edge); stroke-width: 1; }
svg .mark { stroke: var(--second); stroke-width: 1.25; stroke-dasharray: 3 3; }
svg .line { stroke: var(--accent); }
svg .second { stroke: var(--second); stroke-dasharray: 6 3; }
svg .bar, svg .line-dot { fill: var(--accent); }
svg .second-dot { fill: var(--second); }
svg .area { fill: var(--accent); opacity: .15; }
svg .measured { fill: var(--measured); }
svg .wait { fill: var(--wait); }
svg .bad { fill: var(--bad); }
svg .cut { fill: var(--accent); opacity: .45; }
.key {
  display: inline-block; width: .75rem; height: .75rem; border-radius: .125rem;
  margin: 0 .25rem 0 .75rem;
}
.key.bar { background: var(--accent); }
.key.wait { background: var(--wait); margin-left: 0; }
.key.bad { background: var(--bad); }
.key.cut { background: var(--accent); opacity: .45; }
footer { padding-inline: 1rem; }
footer dl {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr));
}
@media print {
  * { print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: .8125rem; background: none; }
  section { border: 0; padding: .5rem 0; background: none; }
  .verdict { padding: .5rem; border: 1px solid; }
  figure, tr, .verdict { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  .charts { grid-template-columns: 1fr 1fr; }
  .wide svg { min-width: 0; }
  table { font-size: .625rem; }
  thead th, td small, td .most { font-size: .5625rem; white-space: normal; }
  th, td { padding: .125rem .25rem; }
}
"""


def style_sheet() -> str:
    """Return the report's CSS."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}"
    return f":root {{ {_colours(LIGHT)} }}\n{dark}\n{_RULES}"


def _colours(palette: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in palette.items())
