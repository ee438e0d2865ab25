"""The HTML that a page is made of. Every text passes `html.escape` here or in the page."""

import html
import re
from collections.abc import Callable, Mapping, Sequence

from keras_snnkd.report import words
from keras_snnkd.report.columns import Column
from keras_snnkd.report.style import STYLE, themed


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page, with the meaning of its tables' headers at the end. Its policy forbids the browser to load anything from anywhere."""
    title = html.escape(title)
    parts = [*parts, meanings(words.used("".join(parts)))]
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
    if not text:
        return ""
    attribute = f" class={kind!r}" if kind else ""
    return f"<p{attribute}>{html.escape(text)}</p>"


def note(text: str) -> str:
    """A paragraph in small print."""
    return paragraph(text, "note")


def code(text: str) -> str:
    """Text as it stands, or nothing if there is none."""
    return f"<pre>{html.escape(text)}</pre>" if text else ""


def details(title: str, *body: str) -> str:
    """What opens at a click, or nothing if it is empty."""
    return f"<details><summary>{html.escape(title)}</summary>{''.join(body)}</details>" if any(body) else ""


def meanings(terms: Mapping[str, str]) -> str:
    """What words mean, as a list under a heading; nothing if there are none."""
    entries = "".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(meaning)}</dd>" for term, meaning in terms.items())
    return section("What the words mean", "", f"<dl>{entries}</dl>" if entries else "")


def picture(draw: Callable[..., str], description: str) -> str:
    """A figure with the words that a screen reader says, drawn twice: the style shows the one that fits the page's width.

    Args:
        draw: Gives an SVG, with `narrow=True` one for a telephone.
        description: For who does not see it.
    """
    drawn = "".join(f'<div class="{kind}">\n{_inlined(draw(narrow=kind == "narrow"))}\n</div>' for kind in ("desk", "narrow"))
    return f'<figure role="img" aria-label="{html.escape(description)}">\n{drawn}\n</figure>'


def _inlined(svg: str) -> str:
    """An SVG for a page with others: without names that nothing refers to, and with the page's colours."""
    known = set(re.findall(r"(?:url\(#|href=\"#)([\w-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in known else "", svg)
    return themed(svg)


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
    head = "".join(_cell("th", index < text, _explained(header)) for index, (header, _) in enumerate(columns))
    body = []
    for number, row in enumerate(rows):
        dot = f'<span class="dot" style="background:{themed(colors[number])}"></span>' if colors else ""
        cells = [_cell("td", index < text, ("" if index else dot) + _lines(cell)) for index, cell in enumerate(row)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    name = html.escape(f"Table of {columns[0][0] or 'figures'}; it may go on to the right")
    content = f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{name}"><table>{content}</table></div>'


def _explained(header: str) -> str:
    """A header, with its meaning where a pointer rests on it."""
    meaning = words.WORDS.get(header)
    return f'<abbr title="{html.escape(meaning)}">{html.escape(header)}</abbr>' if meaning else html.escape(header)


def _cell(tag: str, text: bool, content: str) -> str:
    return f'<{tag} class="text">{content}</{tag}>' if text else f"<{tag}>{content}</{tag}>"


def _lines(cell: Sequence[str]) -> str:
    first, *more = [html.escape(line).replace("_", "_<wbr>").replace("/", "/<wbr>") for line in cell]
    return first + "".join(f"<small>{line}</small>" for line in more if line)
