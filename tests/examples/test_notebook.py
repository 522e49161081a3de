"""The notebook runs from top to bottom, and its neighbours are the obvious ones."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_notebook_finds_the_neighbours(monkeypatch, tmp_path):
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MUSIC", raising=False)
    notebook = nbformat.read(ROOT / "examples" / "embeddings.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    NotebookClient(notebook, timeout=300).execute(cwd=str(tmp_path))
    said = notebook.cells[-1].outputs[0]["data"]["text/plain"]
    rows = [line.split()[:1] for line in said.splitlines()]
    assert len(rows) == 5 and "one, louder" in said.splitlines()[1]
