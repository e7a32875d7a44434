"""The Python blocks of README.md run, one after the other, in one shared namespace."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8") if README.is_file() else ""
BLOCKS = [
    (TEXT.count("\n", 0, match.start(1)) + 1, match.group(1))
    for match in re.finditer(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]


@pytest.fixture(scope="module")
def namespace() -> dict[str, object]:
    return {"__name__": "readme"}


@pytest.mark.parametrize(
    ("line", "code"), [pytest.param(*block, id=f"line {block[0]}") for block in BLOCKS]
)
def test_block_runs(line, code, namespace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    # Blank lines in front make a traceback point to the line in README.md.
    exec(compile("\n" * (line - 1) + code, str(README), "exec"), namespace)


@pytest.mark.skipif(not TEXT, reason="README.md is not beside the tests")
def test_one_test_command_is_marked():
    marked = re.findall(
        r"<!-- test-command -->\n```sh\n([^\n]+)\n```\n<!-- /test-command -->", TEXT
    )
    assert len(marked) == 1
    assert "pytest" in marked[0]
