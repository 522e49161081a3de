"""pytest: a test for each layer of a project file, parity.toml or [tool.parity] of pyproject.toml.

`pytest parity.toml` collects them; so does a test that asks for `parity_case`, which says more:

    def test_layer(parity_case):
        parity_case.check()

The models are proved once a session. What fails beside the layers, the scores at the end say,
fails the test of the last layer.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from parity.errors import CannotRun

PROJECT = "parity.toml"
KEY = pytest.StashKey[dict[Path, Any]]()
Row = tuple[Path, str, str]  # the project's folder, a model, a layer


class Failed(Exception):
    """A layer that does not hold; the text says all."""


class Project(pytest.File):
    """A parity.toml that was named on the command line."""

    def collect(self) -> Iterator[pytest.Item]:
        for row in _rows(self.path.parent):
            yield Layer.from_parent(self, name=_id(row), row=row)


class Layer(pytest.Item):
    """The test of a layer."""

    def __init__(self, *, row: Row, **more: Any) -> None:
        super().__init__(**more)
        self.row = row

    def runtest(self) -> None:
        found = _found(self.config, self.row)
        if not found.holds:
            raise Failed(str(found))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        is_told = isinstance(excinfo.value, (Failed, CannotRun))
        return str(excinfo.value) if is_told else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Project | None:
    if file_path.name == PROJECT and parent.session.isinitpath(file_path):
        return Project.from_parent(parent, path=file_path)
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "parity_case" in metafunc.fixturenames:
        here = metafunc.config.invocation_params.dir
        rows = _rows(next((at for at in (here, *here.parents) if (at / PROJECT).exists()), here))
        metafunc.parametrize("parity_case", rows, ids=map(_id, rows), indirect=True)


@pytest.fixture
def parity_case(request: pytest.FixtureRequest) -> Any:
    """A layer of the project's models, proved: a parity.library.Layer."""
    try:
        return _found(request.config, request.param)
    except CannotRun as error:
        pytest.fail(str(error), pytrace=False)


def _rows(folder: Path) -> list[Row]:
    """Every layer of every model of a folder's project."""
    from parity import project

    try:
        if not project.is_one(folder):
            raise CannotRun(f"{folder}: there is no {PROJECT}; `parity init` writes one")
        cases = project.cases(folder=folder)
    except CannotRun as error:
        _collect_error(error)
    return [(folder, case.model.name, layer) for case in cases for layer in case.model.layers]


def _collect_error(error: CannotRun) -> NoReturn:
    raise pytest.Collector.CollectError(str(error)) from error


def _id(row: Row) -> str:
    return f"{row[1]}-{row[2]}"


def _found(config: pytest.Config, row: Row) -> Any:
    """What a project's proof says of a layer; CannotRun, each time, where there is none."""
    folder, model, layer = row
    kept = config.stash.setdefault(KEY, {})
    if folder not in kept:
        try:
            kept[folder] = _proved(folder)
        except CannotRun as error:
            kept[folder] = error
    if isinstance(kept[folder], CannotRun):
        raise kept[folder]
    return kept[folder][model, layer]


def _proved(folder: Path) -> dict[tuple[str, str], Any]:
    from parity import library, project

    with contextlib.chdir(folder):  # as the commands are run
        sys.path.insert(0, str(folder))
        try:
            cases = project.cases(folder=folder)
            document = library.document_of(cases)
        finally:
            sys.path.remove(str(folder))
    return library.tested(document, {case.model.name: case.model.layers for case in cases})
