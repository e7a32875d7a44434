"""The Python blocks of README.md and docs/family.md run, in one shared namespace each."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [page for page in (README, ROOT / "docs" / "family.md") if page.is_file()]
TEXT = README.read_text(encoding="utf-8") if README.is_file() else ""


def blocks(page: Path) -> list[tuple[int, str]]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    namespace = {"__name__": "page"}
    assert blocks(page)
    for line, code in blocks(page):
        # Blank lines in front make a traceback point to the line of the page.
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)


@pytest.mark.skipif(not TEXT, reason="README.md is not beside the tests")
def test_one_test_command_is_marked():
    marked = re.findall(
        r"<!-- test-command -->\n```sh\n([^\n]+)\n```\n<!-- /test-command -->", TEXT
    )
    assert len(marked) == 1
    assert "pytest" in marked[0]
