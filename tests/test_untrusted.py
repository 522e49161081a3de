"""What somebody else wrote is read within bounds, or refused in a sentence: nothing else comes."""

import io
import os
import zipfile

import h5py
import numpy as np
import pytest

from parity import untrusted
from parity.untrusted import Damaged, hdf5, json_of, npy, npz, read_json, texts

JSONS = {
    "": "is empty",
    "{": "cut short or is not JSON",
    "[NaN]": "NaN is not a JSON number",
    "[1e400]": "too large for a number",
    f"[{'9' * 400}]": "too large for a number",
    f"[{'9' * 5000}]": "is not usable JSON",
    '{"a": 1, "a": 2}': "has 'a' twice",
    "[" * 65 + "]" * 65: "nested too deeply",
    "[" * 100_000 + "]" * 100_000: "nested too deeply",
    b"\xff\xfe[]": "is not UTF-8 text",
}


@pytest.mark.parametrize(("text", "said"), JSONS.items())
def test_json_that_cannot_be_used(text, said):
    with pytest.raises(Damaged, match=said):
        json_of(text)


def test_json_with_a_byte_order_mark_and_a_schema(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"a": "b"}')
    schema = untrusted.record(a=untrusted.TEXT)
    assert read_json(path, schema) == {"a": "b"}
    path.write_text('{"a": 1}')
    with pytest.raises(Damaged, match="a is 1, expected string"):
        read_json(path, schema)


def test_pipes_and_folders_are_no_files_and_nobody_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        for read in (read_json, npy, npz, lambda path: hdf5(path).__enter__()):
            with pytest.raises(OSError, match=r"is no file|directory"):
                read(path)


def external(file):
    file.create_dataset("a", (16,), "u1", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("none.h5", "a", (4,))
    file.create_virtual_dataset("a", layout, fillvalue=0)


def nested(file):
    for _ in range(5000):
        file = file.create_group("g")


def odd_name(file):
    h5py.h5g.create(file.id, b"\xff\xfe")


def bomb(file):
    file.create_dataset("a", data=np.zeros(1 << 22), compression="gzip", chunks=(1 << 20,))


HDF5S = {
    "external": (external, "keeps a in another file"),
    "virtual": (virtual, "keeps a in another file"),
    "linked": (lambda f: f.__setitem__("a", h5py.ExternalLink("b.h5", "/")), "to another file"),
    "5,000 groups": (nested, "groups without end"),
    "20,000 groups": (lambda f: [f.create_group(str(n)) for n in range(20_000)], "without end"),
    "a name": (odd_name, "a name that is no text"),
    "an attribute's name": (
        lambda f: h5py.h5a.create(f.id, b"\xff", h5py.h5t.NATIVE_INT32, h5py.h5s.create(0)),
        "a name that is no text",
    ),
    "never written": (lambda f: f.create_dataset("a", (1 << 40,), "f4"), "takes .* and holds 0"),
    "a bomb": (bomb, "takes|times its size"),
    "objects": (
        lambda f: f.create_dataset("a", data=["x"], dtype=h5py.string_dtype()),
        "neither numbers nor text",
    ),
    "a compound": (lambda f: f.create_dataset("a", (2,), "f4,i4"), "neither numbers nor text"),
}


@pytest.mark.parametrize("how", HDF5S)
def test_hdf5_that_is_not_what_it_says(tmp_path, how):
    make, said = HDF5S[how]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(file)
    with pytest.raises(Damaged, match=said), hdf5(tmp_path / "x.h5"):
        pass


def test_whole_hdf5_is_read_and_a_readers_error_is_damage(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/b"] = np.arange(3.0)
        file["c"] = h5py.SoftLink("/a/b")
        file["packed"] = file.create_dataset("p", data=np.arange(99.0), compression="gzip")
        file["a/again"] = file["a"]
        file.attrs["empty"] = np.zeros(0)
        file.attrs["null"] = h5py.Empty("f4")
        file.attrs["names"] = np.array([b"x", b"y"])
        file.attrs["odd"] = np.array([[1, 2]])
    with hdf5(tmp_path / "x.h5") as file:
        assert file["a/b"][()].tolist() == file["c"][()].tolist() == [0, 1, 2]
        assert texts(file, "names") == ["x", "y"] and texts(file, "empty") == []
        for name in ("null", "odd"):
            with pytest.raises(Damaged, match="no list of names"):
                texts(file, name)
    for error in (KeyError("x"), RuntimeError("x"), MemoryError()):
        with pytest.raises(Damaged, match="is damaged HDF5"), hdf5(tmp_path / "x.h5"):
            raise error


def packed(path, name="a.npy", data=None, **settings):
    with zipfile.ZipFile(path, "w", **settings) as archive:
        archive.writestr(name, data if data is not None else numpy_bytes(np.zeros(1 << 20)))


def numpy_bytes(array, **settings):
    stream = io.BytesIO()
    np.save(stream, array, **settings)
    return stream.getvalue()


def encrypted(path):
    packed(path)
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    path.write_bytes(data)


def twice(path):
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning):
        for _ in range(2):
            archive.writestr("a.npy", numpy_bytes(np.zeros(1)))


NPZS = {
    "encrypted": (encrypted, "is encrypted"),
    "lzma": (lambda p: packed(p, compression=zipfile.ZIP_LZMA), "times its size|packed in a way"),
    "bzip2": (lambda p: packed(p, data=numpy_bytes(np.zeros(1)), compression=12), "packed in a"),
    "a bomb": (lambda p: packed(p, compression=zipfile.ZIP_DEFLATED), "64 times its size"),
    "twice": (twice, "holds 'a.npy' twice"),
    "no array": (lambda p: packed(p, "a.txt", b"x"), "'a.txt', which is no array"),
    "pickled": (
        lambda p: packed(p, data=numpy_bytes(np.array([{}], object), allow_pickle=True)),
        "pickled objects",
    ),
    "cut": (lambda p: (packed(p), os.truncate(p, 1000)), "cut short or a damaged npz"),
    "no zip": (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(99)), "cut short or a damaged npz"),
}


@pytest.mark.parametrize("how", NPZS)
def test_npz_that_cannot_be_used(tmp_path, how):
    make, said = NPZS[how]
    make(tmp_path / "x.npz")
    with pytest.raises(Damaged, match=said):
        npz(tmp_path / "x.npz")


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


NPYS = {
    "shape": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}\n"),
    "negative": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4)}\n") + bytes(16),
    "nested": header("(" * 9000),
    "code": header("__import__('os').system('true')\n"),
    "nothing": header("{}\n"),
    "more": numpy_bytes(np.zeros(2)) + b"x",
    "less": numpy_bytes(np.zeros(2))[:-1],
    "version": b"\x93NUMPY\x09\x00",
    "head": b"\x93NUMPY",
}


@pytest.mark.parametrize("how", NPYS)
def test_npy_that_cannot_be_used(tmp_path, how):
    (tmp_path / "x.npy").write_bytes(NPYS[how])
    with pytest.raises(Damaged, match="is cut short or damaged"):
        npy(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(()),
        np.zeros((0, 3)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array("x"),
    ],
)
def test_arrays_come_back_as_they_were(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    np.savez(tmp_path / "x.npz", a=array)
    for found in (npy(tmp_path / "x.npy"), npz(tmp_path / "x.npz")["a"]):
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
