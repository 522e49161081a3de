"""What several modules say alike."""

from collections.abc import Iterable

from parity.port.architectures import nearest


def one_of(option: str, value: object, known: Iterable[str]) -> None:
    """Raise ValueError where the `value` of an option is none of the `known` names."""
    if value not in known:
        raise ValueError(
            f"{option} is {value!r}, which there is not; did you mean "
            f"{nearest(value, known)}? There are {', '.join(known)}"
        )
