"""Which row of a table of dialects a Keras release follows."""

FIRST, LAST = "1.0.4", "1.2.2"


def dialect(table, keras):
    """The row of `table` (first release -> row, oldest first) in force in release `keras`, such as
    "1.0.6".

    Raises ValueError for a release outside 1.0.4 - 1.2.2 or a string that is no release.
    """
    if not _numbers(FIRST) <= _numbers(keras) <= _numbers(LAST):
        raise ValueError(
            f"Keras {keras}: its formulas are not known here; give a release from {FIRST} to {LAST}"
        )
    since = max(
        (release for release in table if _numbers(release) <= _numbers(keras)), key=_numbers
    )
    return table[since]


def _numbers(release):
    try:
        return tuple(int(part) for part in release.split("."))
    except (AttributeError, ValueError) as error:
        raise ValueError(f"Keras {release!r} is no release; give one such as '1.0.6'") from error
