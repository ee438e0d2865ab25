"""Make the notebooks from the scripts beside them, with what the scripts print: `python examples/notebooks/build.py`.

A line `# %% words` begins a cell, and the words stand above it. The notebooks hold the outputs of a whole run, so that they can be read
without running anything.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent
SCRIPTS = ("keras_to_spiking", "own_objective", "anytime")


def cells(source: str) -> list[tuple[str, str]]:
    """The words and the code of each cell; the first are the script's docstring."""
    head, *parts = re.split(r"^# %% ", source, flags=re.MULTILINE)
    title = head.strip().strip('"').split("\n")[0]
    found = [(f"# {title}", "")]
    for part in parts:
        words, _, code = part.partition("\n")
        found.append((words.strip(), code.strip("\n")))
    return found


def notebook(source: str, outputs: list[str]) -> dict[str, object]:
    """A notebook of format 4.5 from a script and what each of its cells printed."""
    made: list[dict[str, object]] = []
    for number, ((words, code), printed) in enumerate(zip(cells(source), outputs, strict=True)):
        made.append({"cell_type": "markdown", "id": f"words-{number}", "metadata": {}, "source": words.splitlines(keepends=True)})
        if code:
            shown = [{"name": "stdout", "output_type": "stream", "text": printed.splitlines(keepends=True)}] if printed else []
            made.append(
                {
                    "cell_type": "code",
                    "execution_count": number,
                    "id": f"code-{number}",
                    "metadata": {},
                    "outputs": shown,
                    "source": code.splitlines(keepends=True),
                }
            )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": made, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def run(source: str) -> list[str]:
    """What each cell prints, one after the other in one namespace."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed = []
    for _, code in cells(source):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, "cell", "exec"), names)
        printed.append(said.getvalue())
    return printed


def main() -> None:
    """Write all notebooks, or those that are named."""
    os.chdir(FOLDER)
    chosen, sys.argv = sys.argv[1:] or SCRIPTS, sys.argv[:1]
    for name in chosen:
        source = (FOLDER.parent / f"{name}.py").read_text("utf-8")
        content = json.dumps(notebook(source, run(source)), indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.ipynb").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
