"""The table of docs/probes.md is what `bench.smallest` measures."""

from bench import smallest
from parity import room


def _rows():
    page = (room("parity").parent / "docs" / "probes.md").read_text()
    shown = page.split("<!-- smallest:begin -->\n")[1].split("\n<!-- smallest:end -->")[0]
    head, rule, *rows = shown.splitlines()
    assert [head, rule] == smallest.HEAD.splitlines()
    return [tuple(cell.strip() for cell in row.strip("|").split(" | ")) for row in rows]


def test_the_page_has_a_row_of_every_kind():
    rows = _rows()
    assert {kind: layer.replace(" ", "-") for kind, layer, *_ in rows} == smallest.LAYERS


def test_a_row_is_measured_as_the_page_has_it(real_data):
    (found,) = smallest.measured(["dense"])
    assert found in _rows()
