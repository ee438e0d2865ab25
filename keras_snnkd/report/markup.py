"""The HTML that a page is made of. Every text passes `html.escape` here or in the page."""

import html
from collections.abc import Sequence

from keras_snnkd.report.table import Column

STYLE = """
:root { color-scheme: light; --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --wash: #f5f7fa; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1020px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 48px 0 6px; padding-top: 20px; border-top: 1px solid var(--line); }
p { margin: 8px 0; max-width: 860px; }
.lead { color: var(--muted); margin-bottom: 24px; }
.note { color: var(--muted); font-size: 14px; }
.gain { border-left: 4px solid var(--accent); background: var(--wash); padding: 12px 18px; margin: 22px 0; max-width: none; }
.gain p { max-width: none; margin: 4px 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 14px 0 8px; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { color: var(--muted); font-weight: 600; font-size: 13px; vertical-align: bottom; border-bottom: 2px solid var(--line); }
th, td { padding: 8px 12px; text-align: right; }
td { white-space: nowrap; }
td { border-bottom: 1px solid var(--line); }
th.text, td.text { text-align: left; }
td.text:first-child { font-weight: 600; }
.dense th, .dense td { padding: 7px 8px; }
.dense td { font-size: 14px; }
td small { display: block; color: var(--muted); font-size: 13px; font-weight: 400; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 9px; }
figure { margin: 16px 0 4px; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px; margin: 10px 0; font-size: 13px;
  line-height: 1.5; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 12px 0; }
summary { cursor: pointer; color: var(--accent); }
@media print { main { max-width: none; padding: 0; } h2, figure, tr { break-inside: avoid; } }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page. Its policy forbids the browser to load anything from anywhere."""
    title = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(title: str, said: str, *body: str) -> str:
    """A heading, a sentence below it, and what comes then; nothing at all if that is empty."""
    if not any(body):
        return ""
    return "\n".join(filter(None, ["<section>", f"<h2>{html.escape(title)}</h2>", note(said), *body, "</section>"]))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, or nothing if there is no text."""
    return f"<p{f' class={kind!r}' if kind else ''}>{html.escape(text)}</p>" if text else ""


def note(text: str) -> str:
    """A paragraph in small print."""
    return paragraph(text, "note")


def code(text: str) -> str:
    """Text as it stands, or nothing if there is none."""
    return f"<pre>{html.escape(text)}</pre>" if text else ""


def details(title: str, *body: str) -> str:
    """What opens at a click, or nothing if it is empty."""
    return f"<details><summary>{html.escape(title)}</summary>{''.join(body)}</details>" if any(body) else ""


def picture(svg: str, description: str) -> str:
    """A figure with the words that a screen reader says."""
    return f'<figure role="img" aria-label="{html.escape(description)}">\n{svg}\n</figure>'


def table(columns: Sequence[Column], colors: Sequence[str] = (), text: int = 1) -> str:
    """A table, or nothing if it has no rows.

    Args:
        columns: Header and cells; the lines after a cell's first are in small print.
        colors: A colour for each row, shown as a dot.
        text: So many columns on the left hold text, the others numbers.
    """
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    if not rows:
        return ""
    head = "".join(_cell("th", index < text, html.escape(header)) for index, (header, _) in enumerate(columns))
    body = []
    for number, row in enumerate(rows):
        dot = f'<span class="dot" style="background:{colors[number]}"></span>' if colors else ""
        cells = [_cell("td", index < text, ("" if index else dot) + _lines(cell)) for index, cell in enumerate(row)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _cell(tag: str, text: bool, content: str) -> str:
    return f'<{tag} class="text">{content}</{tag}>' if text else f"<{tag}>{content}</{tag}>"


def _lines(cell: Sequence[str]) -> str:
    first, *more = [html.escape(line) for line in cell]
    return first + "".join(f"<small>{line}</small>" for line in more if line)
