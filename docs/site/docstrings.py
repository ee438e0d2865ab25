"""Docstrings as Griffe reads them: it knows `Examples:` as code, and a colon where ours, after reStructuredText, have two."""

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Brings our docstrings into the form that the site's parser knows."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called once for each module, class, function and attribute."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.MULTILINE)
