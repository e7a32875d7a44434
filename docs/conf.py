"""Configuration of sphinx: build with `sphinx-build docs docs/_build/html`."""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import radontv  # noqa: E402

project = "radontv"
author = "the radontv developers"
version = release = radontv.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings give the types
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "radontv"


def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape |x| and fitted_ outside literals, which docstrings use as plain text.

    Links into the manual of scikit-learn, in inherited methods, become their text.
    """
    for k, line in enumerate(lines):
        parts = re.sub(r":ref:`([^<`]*?)\s*<[^>]*>`", r"\1", line).split("`")
        parts[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
        lines[k] = "`".join(parts)


def setup(app: Any) -> None:
    """Connect `escape` before numpydoc reads the docstrings."""
    app.connect("autodoc-process-docstring", escape, priority=400)
