"""The suite: every declared layer of the port against the original, alone and in the chain, and each model's end."""

from reports.message import cell_message

HOLDS = ("EXACT", "ROUNDING")


def _cell(record, layer, mode):
    found = [entry for entry in record["layers"] if entry["name"] == layer]
    assert found, f"{record['name']} / {layer}: not in the run's records"
    return found[0], found[0][mode]


def test_layer_matches_original(record, layer):
    """Fed the original's own input, bit for bit, the port's layer differs by no more than rounding."""
    entry, cell = _cell(record, layer, "isolated")
    assert cell["verdict"] in HOLDS, cell_message(record, entry, "isolated")


def test_layer_matches_original_in_the_chain(record, layer):
    """Fed its own output from the mel spectrogram on, the port's layer differs by no more than rounding."""
    entry, cell = _cell(record, layer, "chained")
    assert cell["verdict"] in HOLDS, cell_message(record, entry, "chained")


def test_model_matches_original_end_to_end(record):
    """The port's scores are no farther from the truth than twice the farther of the original's two float32 runs."""
    final = record["final"]
    assert final["holds"], f"{record['name']}: {final['port_truth']:.2e} from the truth, {final['allowed']:.2e} allowed"
    assert record["verdict"] == "HOLDS"


def test_oracle_is_the_original(record):
    """In float64 the oracle agrees with the original to 1e-12 of every tensor's largest magnitude."""
    assert record["oracle_truth"]["ratio"] <= 1, record["oracle_truth"]
