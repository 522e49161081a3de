"""What configures each layer, as plain data: for whoever has to notice that a setting
changed.

Functions and classes are left out: two of them may compute the same, and what they compute is
judged by its numbers.
"""

from typing import Any

from chainer import Link


def settings(link: Link) -> dict[str, object]:
    """The plain public attributes of a link, and its parameters' dtypes and shapes."""
    own = link._params | link._persistent
    values = {
        key: value
        for key, value in vars(link).items()
        if key != "name" and key[0] != "_" and key not in own
    }
    held = {
        name: getattr(getattr(link, name), "array", getattr(link, name)) for name in sorted(own)
    }
    return {
        **_plain(values),
        **{name: f"{array.dtype}{list(array.shape)}" for name, array in held.items()},
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        found = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str)) else None
