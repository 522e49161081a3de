"""Every change of what the network is, one by one, is found and named; numbers are the same in all
of them.
"""

import copy

import pytest

from parity.gate.changes import changes


def setting(name, **values):
    return lambda found: next(row for row in found["port"] if row["name"] == name)[
        "settings"
    ].update(values)


def tensor(name, form):
    return lambda found: found["weights"]["tensors"].update({name: form})


CHANGES = {
    "a tensor's values": (
        tensor("conv1/W", ["float32", [3, 3], "0" * 64]),
        "conv1",
        "W has other values",
    ),
    "a tensor's dtype": (
        tensor("conv1/W", ["float16", [3, 3], "0" * 64]),
        "conv1",
        "has dtype float16, was float32",
    ),
    "a tensor's shape": (
        tensor("conv1/W", ["float32", [9], "0" * 64]),
        "conv1",
        "has shape [9], was [3, 3]",
    ),
    "a new tensor": (tensor("bn1/beta", ["float32", [9], "0" * 64]), "bn1", "tensor beta is new"),
    "a tensor gone": (
        lambda found: found["weights"]["tensors"].pop("bn1/gamma"),
        "bn1",
        "tensor gamma is gone",
    ),
    "a file saved anew": (
        lambda found: found["weights"].update(sha256="0" * 64),
        "",
        "another file",
    ),
    "a step removed": (
        lambda found: found["port"].pop(2),
        "pool1",
        "the port: layer pool1 is gone",
    ),
    "a step added": (
        lambda found: found["port"].insert(2, {"name": "extra", "settings": {}}),
        "extra",
        "layer extra is new",
    ),
    "a step renamed": (
        lambda found: found["port"][1].update(name="norm1"),
        "bn1",
        "bn1 is now called norm1",
    ),
    "steps reordered": (
        lambda found: found["port"].reverse(),
        "conv1",
        "output comes where conv1 was",
    ),
    "a pool size": (setting("pool1", pool_size=[2, 4]), "pool1", "pool_size is [2, 4], was [2, 2]"),
    "an eps": (setting("bn1", eps=1e-5), "bn1", "eps is 1e-05, was 1e-06"),
    "a momentum": (setting("bn1", momentum=0.99), "bn1", "momentum is 0.99, was 0.9"),
    "a setting gone": (
        lambda found: found["port"][0].update(settings={}),
        "conv1",
        "pad is not set, was [1, 1]",
    ),
    "settings unknown": (
        lambda found: found["port"][0].update(settings=None),
        "conv1",
        "pad is not set",
    ),
    "the original's config": (
        lambda found: found["original"][1].update(config="0" * 64),
        "bn1",
        "the original: config is 000000000000",
    ),
    "the original's shape": (
        lambda found: found["original"][3].update(shape=[2, 10]),
        "output",
        "shape is [2, 10]",
    ),
    "the original's order": (
        lambda found: found["original"].reverse(),
        "conv1",
        "the original: output comes where",
    ),
    "a declared layer gone": (
        lambda found: found["declared"].pop(0),
        "conv1",
        "declared: layer conv1 is gone",
    ),
    "the steps unknown": (
        lambda found: found.update(port=None),
        "",
        "the port: its layers are not known",
    ),
    "Chainer": (
        lambda found: found["stack"]["harness"].update(chainer="7.8.2"),
        "",
        "the port's chainer is 7.8.2, was 7.8.1",
    ),
    "Keras": (
        lambda found: found["stack"]["original"].update(keras="1.0.7"),
        "",
        "the original's keras is 1.0.7, was 1.0.6",
    ),
    "a clip": (lambda found: found["batch"].__setitem__(1, "0" * 64), "", "another clip at 2 of 2"),
    "a clip more": (lambda found: found["batch"].append("0" * 64), "", "3 clips, was 2"),
    "clips reordered": (
        lambda found: found["batch"].reverse(),
        "",
        "the same clips in another order",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_at_its_layer(change, document):
    plant, layer, said = CHANGES[change]
    base = document["models"][0]["identity"]
    fresh = copy.deepcopy(base)
    plant(fresh)
    found = changes(fresh, base)
    assert [where for where, _ in found] == [layer]
    assert said in found[0][1]


def test_the_same_identity_has_no_finding(document):
    base = document["models"][0]["identity"]
    assert changes(copy.deepcopy(base), base) == []


def test_without_a_trace_the_originals_source_stands_in(document):
    base = document["models"][0]["identity"]
    fresh = {**copy.deepcopy(base), "original": None}
    assert changes(fresh, base) == []
    fresh["definition"] = "0" * 64
    assert "(its description) changed" in changes(fresh, base)[0][1]


SOURCE = '''"""Words."""
def pool(x):
    """Words."""
    return x[::2]  # every second
'''


def test_a_definition_is_its_code_not_its_words():
    from parity.source import definition

    plain = "def pool(x):\n\n    return x[  ::2 ]\n"
    assert definition(SOURCE) == definition(plain) != definition(plain.replace("2", "3"))


@pytest.mark.parametrize(
    ("settings", "how"),
    [(None, "not at all, unlike"), ({"a node": {"op": "Conv"}}, "in other words than")],
)
def test_another_kind_of_port_is_one_line(document, settings, how):
    base = document["models"][0]["identity"]
    fresh = copy.deepcopy(base)
    for row in fresh["port"]:
        row["settings"] = settings
    assert changes(fresh, base) == [
        (
            "",
            f"the port says how its layers are set {how} the approved one; another port has "
            "--baselines of its own",
        )
    ]
    fresh["port"].pop(2)
    assert ("pool1", "the port: layer pool1 is gone") in changes(fresh, base)
    assert changes(fresh, fresh) == []


def test_the_digest_of_a_port_is_its_files_or_its_packages(tmp_path):
    from parity.source import code_of

    def digest(name):
        code_of.cache_clear()
        return code_of(tmp_path / name)

    (tmp_path / "port.py").write_text(SOURCE)
    (tmp_path / "other.py").write_text(SOURCE)
    alone = digest("port.py")
    (tmp_path / "other.py").write_text("x = 1")
    assert digest("port.py") == alone
    (tmp_path / "__init__.py").touch()
    packaged = digest("port.py")
    (tmp_path / "other.py").write_text("x = 1  # said")
    assert digest("port.py") == packaged != alone
    (tmp_path / "other.py").write_text("x = ")
    assert digest("port.py") != packaged


def test_other_code_of_the_port_is_mentioned_and_breaks_nothing(document):
    from parity.gate.judge import _code
    from parity.gate.outcome import Breach

    record = document["models"][0]
    name, base = record["name"], {"identity": {**record["identity"], "code": "b" * 64}}
    assert _code(record, base, []) == []
    record["identity"]["code"] = "a" * 64
    told = f"{name}: the code of the port changed (aaaaaaaaaaaa, was bbbbbbbbbbbb)"
    assert _code(record, base, []) == [f"{told}, though no figure did"]
    assert _code(record, base, [Breach(name, "conv1", "budget", "GROSS")]) == [told]
    assert changes(record["identity"], base["identity"]) == []
