"""The look of a page, in light and in the dark, on a desk and on a telephone."""

import re

from keras_snnkd.report.plots.figure import COLORS, INK, LINE, MUTED

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --wash: #f5f7fa; --accent: #0072b2;
  --shade: rgba(31, 41, 51, 0.22);
  --c0: #0072b2; --c1: #e69f00; --c2: #009e73; --c3: #cc79a7; --c4: #d55e00; --c5: #56b4e9; --c6: #999999; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e6e9ed; --muted: #a3aeba; --line: #303943; --wash: #1d232b; --accent: #6cc0f0;
    --shade: rgba(0, 0, 0, 0.75);
    --c0: #3d9fdb; --c1: #f0b13a; --c2: #22b78d; --c3: #dc94bb; --c4: #f0813a; --c5: #86cdf5; --c6: #a6a6a6; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1020px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 48px 0 6px; padding-top: 20px; border-top: 1px solid var(--line); }
p { margin: 8px 0; max-width: 860px; overflow-wrap: break-word; }
.lead { color: var(--muted); margin-bottom: 24px; }
.note { color: var(--muted); font-size: 14px; }
.gain { border-left: 4px solid var(--accent); background: var(--wash); padding: 12px 18px; margin: 22px 0; max-width: none; }
.gain p { max-width: none; margin: 4px 0; }
.wide { overflow-x: auto; scrollbar-width: thin; margin: 14px 0 8px; background:
  linear-gradient(to left, var(--paper) 45%, transparent) right / 44px 100% no-repeat local,
  linear-gradient(to left, var(--shade), transparent) right / 16px 100% no-repeat scroll; }
.wide:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { color: var(--muted); font-weight: 600; font-size: 13px; line-height: 1.3; vertical-align: bottom;
  border-bottom: 2px solid var(--line); }
th, td { padding: 8px 10px; text-align: right; }
td { white-space: nowrap; border-bottom: 1px solid var(--line); }
th.text, td.text { text-align: left; }
th.text:first-child, td.text:first-child { position: sticky; left: 0; z-index: 1; background: var(--paper); padding-left: 2px;
  white-space: normal; }
td.text:first-child { font-weight: 600; min-width: 116px; max-width: 260px; overflow-wrap: break-word; }
.dense th, .dense td { padding: 7px 8px; }
.dense td { font-size: 14px; }
td small { display: block; color: var(--muted); font-size: 13px; font-weight: 400; overflow-wrap: anywhere; }
td:not(:first-child) wbr { display: none; }
abbr { text-decoration: underline dotted; text-underline-offset: 3px; cursor: help; }
dl { margin: 12px 0; font-size: 14px; }
dt { font-weight: 600; margin-top: 10px; }
dd { margin: 0; color: var(--muted); max-width: 860px; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 9px; }
figure { margin: 16px 0 4px; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important; }
figure .narrow { display: none; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px; margin: 10px 0; font-size: 13px;
  line-height: 1.5; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 12px 0; }
summary { cursor: pointer; color: var(--accent); padding: 4px 0; }
@media screen and (max-width: 640px) {
  main { padding: 24px 16px 56px; }
  h1 { font-size: 24px; }
  figure .narrow { display: block; }
  figure .desk { display: none; }
  figure .narrow svg { max-width: 480px; }
}
@media print { main { max-width: none; padding: 0; } h2, figure, tr { break-inside: avoid; } }
"""

_THEMED = {
    **{color.lower(): f"var(--c{number})" for number, color in enumerate(COLORS)},
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    "#ffffff": "var(--paper)",
}
"""The colours of pictures, as the page's own names for them, which are others in the dark."""


def themed(text: str) -> str:
    """The colours of pictures in the page's words."""
    return re.sub(r"#[0-9A-Fa-f]{6}\b", lambda found: _THEMED.get(found[0].lower(), found[0]), text)
