"""What the site has beside the pages in `docs/`: pages from the root of the repository, and the API from docstrings.

Links are written for readers of the repository. Here those to other pages become links of the site, and what is no page, such as a
source file, is named and not linked.
"""

import ast
import pathlib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = "keras_snnkd"

FROM_ROOT = {
    "README.md": "start.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    **{f"examples/{page.parent.name}/README.md": f"examples/{page.parent.name}.md" for page in ROOT.glob("examples/*/README.md")},
}
"""Pages outside of `docs/`, and their names on the site."""

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")
IMAGE = re.compile(r"(!\[[^\]]*\]\()docs/")


def public() -> dict[str, dict[str, str]]:
    """By public module, its names and where they are defined, read from the source; the package's own come first, under its name."""
    tree = ast.parse((ROOT / PACKAGE / "__init__.py").read_text("utf-8"))
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("_CLASSES", "_PARTS")
    }
    found = {PACKAGE: {name: f"{PACKAGE}.{place}.{name}" for name, place in tables["_CLASSES"].items()}}
    for name, place in tables["_PARTS"].items():
        found[f"{PACKAGE}.{name}"] = dict(_exported(f"{PACKAGE}.{place}"))
    return found


def _exported(module: str) -> Iterator[tuple[str, str]]:
    """The names that a module exports, each with the place of its definition: those of `__all__`, else all its own public ones."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    body = ast.parse(path.read_text("utf-8")).body
    defined = [node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")]
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)
        for alias in node.names
    }
    listed = next((node.value for node in body if isinstance(node, ast.Assign) and _is(node, "__all__")), None)
    if listed is None:
        yield from ((name, f"{module}.{name}") for name in defined)
        return
    names = [part.value for part in ast.walk(listed) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    for name in names:
        yield name, imported.get(name, f"{module}.{name}")


def _is(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def api_page(module: str, names: dict[str, str]) -> str:
    """The page of one public module."""
    return f"# {_short(module)}\n\n" + "\n".join(f"::: {place}\n" for place in names.values())


SECTIONS = {"guides": "Guides", "methods": "Methods", "results": "Results", "examples": "Examples", ".": "Concepts"}
"""By folder, the part of the navigation to which a page goes that `mkdocs.yml` does not name."""


def on_config(config: Any) -> Any:
    """Put pages that the navigation does not name into their sections, so that none is out of reach, and the API's behind its index."""
    folder = ROOT / "docs"
    named = set(_pages(config.nav))
    for path in sorted(folder.rglob("*.md")):
        page = path.relative_to(folder).as_posix()
        if page not in named and not page.startswith("site/"):
            _section(config.nav, SECTIONS[posixpath.dirname(page) or "."]).append(page)
    for page in FROM_ROOT.values():
        if page not in named and page.startswith("examples/"):
            _section(config.nav, "Examples").append(page)
    _section(config.nav, "API").extend({_short(module): _api(module)} for module in public())
    return config


def _pages(nav: Any) -> Iterator[str]:
    """All pages that a part of the navigation names."""
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _pages(part)


def _section(nav: list[Any], title: str) -> list[Any]:
    """The list of a section's pages."""
    return next(part[title] for part in nav if isinstance(part, dict) and title in part)


def _short(module: str) -> str:
    return module.replace(PACKAGE, "kd", 1)


def _api(module: str) -> str:
    return f"api/{module.removeprefix(f'{PACKAGE}.') if module != PACKAGE else 'top'}.md"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in `docs/`."""
    for source, target in FROM_ROOT.items():
        files.append(File.generated(config, target, content=_in_docs(source, target)))
    rows, shown = [], set()
    for module, names in public().items():
        new = {name: place for name, place in names.items() if place not in shown}  # `kd.Objective` is `kd.objectives.Objective` too
        shown.update(new.values())
        files.append(File.generated(config, _api(module), content=api_page(module, new)))
        rows.append(f"| [{_short(module)}]({_api(module).removeprefix('api/')}) | {', '.join(f'`{name}`' for name in names)} |")
    head = "# API\n\n`import keras_snnkd as kd`. Every public name, from the docstrings.\n\n| module | names |\n| --- | --- |\n"
    files.append(File.generated(config, "api/index.md", content=head + "\n".join(rows) + "\n"))
    return files


def _in_docs(source: str, target: str) -> str:
    """A page from elsewhere, with links as if it lay in `docs/`."""
    text = IMAGE.sub(r"\1", (ROOT / source).read_text("utf-8"))

    def moved(match: re.Match[str]) -> str:
        words, link, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", link):
            return match[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        place = place.removeprefix("docs/") if place.startswith("docs/") else f"../{place}"
        return f"[{words}]({posixpath.relpath(place, posixpath.dirname(target) or '.')}{anchor})"

    return LINK.sub(moved, text)


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links that lead out of `docs/` become links of the site, or words."""
    here = posixpath.dirname(page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        place = posixpath.normpath(posixpath.join(here, target))
        place = place.rstrip("/")
        if place.startswith("../"):
            place = FROM_ROOT.get(place.removeprefix("../"), place)
        if files.get_file_from_path(place):
            return f"[{words}]({posixpath.relpath(place, here or '.')}{anchor})"
        if (ROOT / "docs" / place).exists():  # a file of the repository that is no page
            return words if "`" in words else f"`{words}`"
        return match[0]  # a broken link, which the build refuses

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else LINK.sub(turned, part) for part in parts)
