"""Messages of one line, whatever the names in them hold."""

from collections.abc import Iterable

from parity.port.architectures import nearest


def shown(text: object) -> str:
    """Text with line breaks, control characters and undecodable bytes written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def one_of(option: str, value: object, known: Iterable[str]) -> None:
    """Raise ValueError where the `value` of an option is none of the `known` names."""
    if value not in known:
        raise ValueError(
            f"{option} is {value!r}, which there is not; did you mean "
            f"{nearest(value, known)}? There are {', '.join(known)}"
        )
