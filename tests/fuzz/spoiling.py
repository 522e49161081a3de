"""Strategies: whole files with bytes spoilt, documents with a value replaced, hostile texts."""

import copy
import json

from hypothesis import strategies as st

TEXTS = (
    "", "-", "--", "x", "CNN0", "conv1", "nan", "inf", "-1", "0", "1e400", "9" * 400, "True",
    "../../x", "/proc/nowhere/x", "a/b", "x" * 300, "~nosuchuser", "~", "*", "**/**/**/*", "[", "%s",
    "{0}", "\x1b[2J\x1b]0;x\x07", "\x9b31m", "\u202egnp", "a\nb", "\udcff\udcfe", "🎵", "\ufeff", "é",
)  # fmt: skip
hostile = st.sampled_from(TEXTS) | st.text(max_size=30)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | hostile
    | st.sampled_from([2**70, -(2**70), 1e308, 5e-324])
)
values = st.recursive(
    scalars,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(hostile, inside, max_size=3),
)


@st.composite
def spoilt(draw, wholes):
    """Bytes of one of `wholes`, with up to eight places changed, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 4, 8]))):
        near = st.integers(0, min(len(data), 4096))
        at = draw(near | st.integers(0, len(data)))
        size = draw(st.sampled_from([1, 1, 1, 2, 4, 8, 100]))
        how = draw(st.sampled_from(["change", "fill", "cut", "end", "double", "put in"]))
        if how == "change":
            data[at : at + size] = draw(st.binary(min_size=size, max_size=size))
        elif how == "fill":
            data[at : at + size] = draw(st.sampled_from([b"\0", b"\xff", b"\x7f"])) * size
        elif how == "cut":
            del data[at : at + size]
        elif how == "end":
            del data[at:]
        elif how == "double":
            data[at:at] = data[at : at + size]
        else:
            data[at:at] = draw(st.binary(max_size=16))
    return bytes(data)


@st.composite
def document(draw, wholes):
    """The text of one of the JSON values `wholes`, with up to three places changed."""
    found = copy.deepcopy(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        found = _changed(draw, found)
    text = json.dumps(found)
    how = draw(st.sampled_from(["whole", "whole", "whole", "bom", "cut", "twice", "deep", "bytes"]))
    if how == "bom":
        return b"\xef\xbb\xbf" + text.encode()
    if how == "cut":
        return text[: draw(st.integers(0, len(text)))].encode()
    if how == "twice" and isinstance(found, dict) and found:
        name = draw(st.sampled_from(sorted(found)))
        return f"{text[:-1]}, {json.dumps(name)}: {json.dumps(draw(values))}}}".encode()
    if how == "deep":
        depth = draw(st.sampled_from([60, 100, 1000, 100_000]))
        return text.replace("null", "[" * depth + "]" * depth, 1).encode()
    return draw(spoilt([text.encode()])) if how == "bytes" else text.encode()


def _changed(draw, found):
    """`found` with the value at a random place replaced, removed or moved."""
    above, key, here = None, None, found
    while isinstance(here, (dict, list)) and here and draw(st.integers(0, 5)):
        above = here
        key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        here = here[key]
    if above is None:
        return draw(values)
    how = draw(st.sampled_from(["replace", "replace", "remove", "double"]))
    if how == "remove":
        del above[key]
    elif how == "double" and isinstance(above, list):
        above.insert(key, copy.deepcopy(here))
    else:
        above[key] = draw(values)
    return found
