"""How a change is planted: each function returns one that is called with the copy's root."""

import json
import shutil
from itertools import pairwise

import h5py
import numpy as np

from parity.files import sha256_of
from parity.model import MODELS


def edit(file, old, new):
    """Replace a piece of a source file; ValueError unless it is there exactly once."""

    def plant(root):
        path = root / file
        source = path.read_text(encoding="utf-8")
        if source.count(old) != 1:
            raise ValueError(f"{file} holds {old!r} {source.count(old)} times; plant it elsewhere")
        path.write_text(source.replace(old, new), encoding="utf-8")

    return plant


def ports_description(model, change):
    """The port reads descriptions of its own, that of one model changed: change(layers), in order,
    each of which then reads the one before it.
    """

    def plant(root):
        shutil.copytree(root / "fixtures" / "networks", root / "port" / "networks")
        path = root / "port" / "networks" / f"{model}.json"
        said = json.loads(path.read_text(encoding="utf-8"))
        layers = said["config"]["layers"]
        change(layers)
        for before, layer in pairwise(layers):
            layer["inbound_nodes"] = [[[before["name"], 0, 0]]]
        path.write_text(json.dumps(said), encoding="utf-8")
        edit("port/architectures.py", 'room("fixtures")', 'room("port")')(root)

    return plant


def settings(**changed):
    """{name: settings} as a change of layers."""

    def change(layers):
        for layer in layers:
            layer["config"].update(changed.get(layer["name"], {}))

    return change


def at(name, make):
    """make(layers, the place of the layer of that name in them) as a change of layers."""
    return lambda layers: make(layers, [layer["name"] for layer in layers].index(name))


def rewrite(file, rewritten):
    def plant(root):
        path = root / file
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")

    return plant


def data_file(relative, change):
    """Change a data file, and its pinned digest with it."""

    def plant(root):
        change(root / "data" / relative)
        pin(root, relative)

    return plant


def pin(root, relative):
    """Write the digest of a data file into the copy's manifest."""
    path = root / "fixtures" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"].setdefault(relative, {})["sha256"] = sha256_of(root / "data" / relative)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def tensor(model, name, change):
    def edit_file(path):
        with h5py.File(path, "r+") as file:
            file[name][...] = change(file[name][...])

    return data_file(MODELS[model].weights, edit_file)


def next_float(array):
    """One element changed by one ulp."""
    array.flat[array.size // 2] = np.nextafter(array.flat[array.size // 2], np.float32(np.inf))
    return array


def other_weights(root):
    other = (root / "data" / MODELS["CNN"].weights).read_bytes()
    data_file(MODELS["CNN0"].weights, lambda path: path.write_bytes(other))(root)


def nudged_clip(path):
    np.save(path, next_float(np.load(path, allow_pickle=False)))


def version_of(name, version):
    """Another version of an installed package, in metadata that the copy finds first."""

    def plant(root):
        folder = root / f"{name}-{version}.dist-info"
        folder.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(metadata)

    return plant


def baseline_text(model, change):
    return rewrite(f"baselines/real/{model}.json", change)


def without_entry(text):
    found = json.loads(text)
    found["layers"] = [entry for entry in found["layers"] if entry["name"] != "conv3"]
    return json.dumps(found)


def looser(text):
    found = json.loads(text)
    next(entry for entry in found["layers"] if entry["name"] == "conv3")["isolated"]["q"] = 1.49
    return json.dumps(found)


def swapped(root):
    ours, theirs = (root / f"baselines/real/{model}.json" for model in ("CNN0", "CNN"))
    held = ours.read_text()
    ours.write_text(theirs.read_text())
    theirs.write_text(held)


def between(text, start, end):
    return text[text.index(start) : text.index(end)]
