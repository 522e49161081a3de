import gate_documents
import pytest

from parity.gate import baseline


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch):
    for name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def document():
    """A clean run of CNN0 and CNN."""
    return gate_documents.document()


@pytest.fixture
def folder(tmp_path, document):
    """Baselines approved from that run."""
    for record in document["models"]:
        baseline.write(tmp_path / "baselines", baseline.make(record, gate_documents.APPROVED))
    return tmp_path / "baselines"
