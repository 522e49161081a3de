"""What model.to_json() says is read as Keras means it, or refused in one sentence."""

import json

import h5py
import pytest

from parity.architecture import INPUT, Node, parse, placed, read, wrapped
from parity.errors import CannotRun
from parity.fixtures.gallery import FOLDER, NAMES, made


def dense(name, *calls, **config):
    calls = [[[*source, 0][:3] for source in call] for call in calls]
    return {
        "name": name,
        "class_name": "Dense",
        "config": {"name": name, **config},
        "inbound_nodes": calls,
    }


def entry(name):
    return {"name": name, "class_name": INPUT, "config": {"name": name}, "inbound_nodes": []}


def graph(*layers, ends=(), starts=("x",), name="net"):
    return {
        "class_name": "Model",
        "config": {
            "name": name,
            "layers": list(layers),
            "input_layers": [[start, 0, 0] for start in starts],
            "output_layers": [[*end, 0][:3] for end in ends],
        },
    }


def rows(found):
    return [(node.name, node.inbound) for node in found.nodes]


def test_a_shared_layer_is_a_node_for_each_call():
    found = parse(
        graph(
            entry("x"), entry("y"), dense("d", [("x", 0)], [("y", 0)]),
            starts=("y", "x"), ends=[("d", 1), ("d", 0)],
        )
    )  # fmt: skip
    assert rows(found) == [("x", ()), ("y", ()), ("d", ("x",)), ("d#2", ("y",))]
    assert (found.inputs, found.outputs) == (("y", "x"), ("d#2", "d"))


def test_a_nested_model_is_flattened_and_keras_counts_its_own_graph_as_its_first_call():
    inner = graph(entry("i"), dense("d", [("i", 0)]), starts=("i",), ends=[("d", 0)], name="m")
    nested = {**inner, "name": "m", "inbound_nodes": [[["x", 0, 0]], [["m", 1, 0]]]}
    found = parse(graph(entry("x"), nested, dense("o", [("m", 2)]), ends=[("o", 0)]))
    assert rows(found) == [("x", ()), ("m/d", ("x",)), ("m/d#2", ("m/d",)), ("o", ("m/d#2",))]


def test_the_first_model_in_a_sequential_is_its_own_beginning():
    first = {
        "class_name": "Sequential",
        "config": [{"class_name": "Dense", "config": {"name": "a"}}],
    }
    second = {"class_name": "Dense", "config": {"name": "b"}}
    found = parse({"class_name": "Sequential", "config": [first, second]})
    assert rows(found) == [("a_input", ()), ("a", ("a_input",)), ("b", ("a",))]


def test_a_sequential_within_one_has_the_number_that_keras_gives_it():
    def sequential(*layers, **more):
        return {"class_name": "Sequential", "config": [*layers], **more}

    def plain(name):
        return {"class_name": "Dense", "config": {"name": name}}

    first, inner, last = sequential(plain("a")), sequential(plain("b")), sequential(plain("c"))
    deep = sequential(first, inner, sequential(plain("d"), sequential(plain("e"))), last)
    names = [name for name, _ in rows(parse(deep))]
    assert names == ["a_input", "a", *(f"sequential_{part}" for part in
                     ("3/b", "4/d", "4/sequential_5/e", "6/c"))]  # fmt: skip
    named = sequential(plain("a"), {**inner, "name": "own"})  # as the recorder says it of code
    assert [name for name, _ in rows(parse(named))] == ["a_input", "a", "own/b"]


def test_a_sequential_may_begin_with_a_merge_of_others():
    branches = [
        {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": name}}]}
        for name in "ab"
    ]
    merge = {"class_name": "Merge", "config": {"name": "m", "mode": "sum", "layers": branches}}
    found = parse({"class_name": "Sequential", "config": [merge]})
    assert found.nodes[-1].inbound == ("a", "b")
    assert found.inputs == ("a_input", "b_input")


def test_a_model_that_two_others_read_is_written_twice_and_there_once():
    asked, told = (
        {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": name}}]}
        for name in "ab"
    )
    merge = {"class_name": "Merge", "config": {"name": "m", "layers": [told, asked]}}
    both = {"class_name": "Sequential", "config": [merge]}
    last = {"class_name": "Merge", "config": {"name": "n", "layers": [both, asked]}}
    found = parse({"class_name": "Sequential", "config": [last]})
    assert (found.nodes[-1].inbound, found.inputs) == (("m", "a"), ("b_input", "a_input"))


def test_a_name_that_would_be_another_layers_second_call_is_refused():
    with pytest.raises(CannotRun, match="layer d#2: # marks the second call"):
        parse(graph(entry("x"), dense("d#2", [("x", 0)]), ends=[("d#2", 0)]))


@pytest.mark.parametrize(("read", "ends"), [(("a", 0, 1), ("b", 0)), (("a", 0), ("a", 0, 1))])
def test_a_layer_of_several_outputs_is_refused(read, ends):
    layers = entry("x"), dense("a", [("x", 0)]), dense("b", [read])
    with pytest.raises(CannotRun, match=r"layer a gives several outputs.*go_backwards=True"):
        parse(graph(*layers, ends=[ends]))


DAMAGED = {
    "a circle": graph(
        entry("x"), dense("a", [("b", 0)]), dense("b", [("a", 0)]), ends=[("b", 0)]
    ),
    "a layer that is not there": graph(entry("x"), dense("a", [("z", 0)]), ends=[("a", 0)]),
    "no layers": {"class_name": "Sequential", "config": []},
    "an input alone": graph(entry("x"), ends=[("x", 0)]),
    "no model": {"class_name": "Dense", "config": {}},
    "a list": [1, 2],
    "an output that is not there": graph(entry("x"), dense("a", [("x", 0)]), ends=[("a", 4)]),
    "text": "model",
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_no_whole_model_is_refused_in_one_sentence(what):
    with pytest.raises(CannotRun, match=r"model\.to_json\(\)") as refused:
        parse(DAMAGED[what], "net.json")
    assert "\n" not in str(refused.value)


def test_a_description_is_read_from_json_a_string_of_it_and_a_saved_model(tmp_path):
    said = graph(entry("x"), dense("d", [("x", 0)]), ends=[("d", 0)])
    plain, quoted, whole = (tmp_path / name for name in ("a.json", "b.json", "c.h5"))
    plain.write_text(json.dumps(said))
    quoted.write_text(json.dumps(json.dumps(said)))
    with h5py.File(whole, "w") as file:
        file.attrs["model_config"] = json.dumps(said).encode()
    assert read(plain) == read(quoted) == read(whole) == said


@pytest.mark.parametrize("content", [b"", b"{", b"\x89HDF\r\n\x1a\n", b"[1"])
def test_a_file_that_holds_no_description_is_refused(content, tmp_path):
    path = tmp_path / "net.json"
    path.write_bytes(content)
    with pytest.raises(CannotRun, match="no model can be read"):
        read(path)


def test_weights_alone_are_no_model(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = []
    with pytest.raises(CannotRun, match="holds weights and no model"):
        read(tmp_path / "w.h5")


def test_weights_are_placed_by_the_longest_name_that_fits():
    layers = ["enc/dense", "enc/dense_1", "dense", "wrapper"]
    names = {"enc": ["dense_W", "dense_1_W"], "dense": ["dense_b"], "wrapper": ["gru_W_z"]}
    assert placed(names, layers) == {
        ("enc", "dense_W"): ("enc/dense", "W"),
        ("enc", "dense_1_W"): ("enc/dense_1", "W"),
        ("dense", "dense_b"): ("dense", "b"),
        ("wrapper", "gru_W_z"): ("wrapper", "gru_W_z"),
    }


def test_what_is_inside_a_wrapper_of_a_nested_model_is_placed_by_its_own_name():
    inner = {"class_name": "Dense", "config": {"name": "dense_5"}}
    nodes = [
        Node("enc/td", "", {"layer": inner}, ()),
        Node("enc/both", "", {"layer": {"config": {"name": "gru"}}}, ()),
    ]
    nodes += [Node("enc/seq#2", "", {"layer": {"config": [inner, {"config": {"name": "a"}}]}}, ())]
    around = wrapped(nodes)
    assert around == {"enc/td": ("dense_5",), "enc/both": ("gru",), "enc/seq": ("dense_5", "a")}
    names = {"enc": ["dense_5_W", "backward_gru_W_z", "a_b"]}
    assert [*placed(names, around, around).values()] == [
        ("enc/td", "dense_5_W"), ("enc/both", "backward_gru_W_z"), ("enc/seq", "a_b"),
    ]  # fmt: skip


def test_a_group_may_have_the_number_that_another_sequential_has_here():
    found = placed({"sequential_3": ["b_W"]}, ["sequential_3/a", "sequential_5/b"])
    assert found == {("sequential_3", "b_W"): ("sequential_5/b", "W")}


def test_a_sequential_at_the_beginning_is_a_group_that_no_layer_is_named_after():
    found = placed({"sequential_4": ["conv_W"]}, ["conv", "m/conv"])
    assert found == {("sequential_4", "conv_W"): ("conv", "W")}


def test_a_sequential_may_have_another_number_in_the_file():
    found = placed({"sequential_1": ["a_W", "a_b"]}, ["first", "sequential_2/a"])
    assert [*found.values()] == [("sequential_2/a", "W"), ("sequential_2/a", "b")]


@pytest.mark.parametrize("name", NAMES)
def test_the_gallery_is_read_and_every_array_has_its_layer(name, tmp_path):
    found = parse(read(FOLDER / f"{name}.json"))
    files, layers = made(name, tmp_path), {node.name for node in found.nodes}
    with h5py.File(files.weights) as file:
        places = placed({layer: list(file[layer]) for layer in file}, layers).values()
    assert places and {layer for layer, _ in places} <= layers
    assert len(files.inputs) == len(found.inputs)
