"""Figures of parity.json as numbers, and the share of them that a baseline keeps."""

DIGITS = 4  # significant; the ratchet's factor is at least 1.3
MODES = {"isolated": {"rho": "rho_port", "q": "q_port"}, "chained": {"rho": "rho_local"}}
FINAL = ("port_reference", "port_truth")
NAN = float("nan")


def number(value):
    """A JSON figure, which may be "inf", "nan" or null, as float; null is NaN, which passes no
    limit.
    """
    return NAN if value is None else float(value)


def rounded(value):
    """`value` with the digits a baseline keeps; what is not finite stays as JSON had it."""
    found = number(value)
    return float(f"{found:.{DIGITS}g}") if abs(found) < float("inf") else value


def of_layer(record):
    """{name, shape, isolated {verdict, rho, q}, chained {verdict, rho}} of a layer's record in
    parity.json.
    """
    return {
        "name": record["name"],
        "shape": record["shape"],
        **{
            mode: {
                "verdict": record[mode]["verdict"],
                **{key: rounded(record[mode][name]) for key, name in keys.items()},
            }
            for mode, keys in MODES.items()
        },
    }


def of_final(final):
    """{port_reference, port_truth, rounding}: the port's final drift, and what rounding explains
    of it, where that is known.

    Where it is not, the scale of the original's own noise stands for it.
    """
    noise = [number(final[pair]) for pair in ("noise_reference", "reference_truth", "noise_truth")]
    known = final.get("allowed")
    return {
        **{pair: rounded(final[pair]) for pair in FINAL},
        "rounding": rounded(max(noise) if known is None else known),
    }
