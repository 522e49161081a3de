"""What the question of the input ends in: does a model's input fit, and what did its training do to it."""

import numpy as np

from parity.investigate.finding import Finding, Table, scope, verdict
from parity.investigate.input_candidates import ASIS, meaning
from parity.investigate.input_tags import tag_table


def fits(name, seen, data):
    """Whether the input of the model `name` differs from what its weights were trained on. seen: of input.look_at."""
    of, port = seen["original"], seen["port"]
    same = of["selected"] == port["selected"]
    claim = _claim(name, of) + ("" if same else f" The port selects {port['selected']!r} instead.")
    effect = {"what": "distance from the stored statistics, decibels over the selected correction", "unit": "times",
              "value": of["score"][ASIS] / of["score"][of["selected"]]}
    tables = [of_model(name, seen) for of_model in (_scores, _layers, tag_table, _synthesised)]
    return Finding(f"input-{name}", claim, verdict(of["differs"] if same else None), effect, _advice(name, of),
                   scope(data, carries_over=False), tables, _sentence(name, of))


def _claim(name, of):
    layers = of["distances"][ASIS]
    held = "the one normalisation that holds" if len(layers) == 1 else f"the {len(layers)} normalisations that hold"
    asis = f"decibels lie {of['score'][ASIS]:.3g} nats a value from what {held} training's statistics stored"
    if of["differs"] is False:
        return f"{name} gets what it was trained on: {asis}, and no correction comes nearer."
    shown = dict.fromkeys(filter(None, (of["selected"], of["closest"], of["applied"])))
    found = "; ".join(f"{meaning(each)}: {of['score'][each]:.3g}" for each in shown)
    return f"{name} was not trained on what it gets: {asis}; {found}."


def _sentence(name, of):
    asis = f"{of['score'][ASIS]:.3g} nats a value"
    if of["differs"] is False:
        return f"{name} gets what it was trained on: its decibels lie {asis} from the stored statistics."
    return (f"{name} was trained on other input than decibels: those lie {asis} from the stored statistics, after "
            f"{of['selected']} {of['score'][of['selected']]:.2g}.")


def _advice(name, of):
    if of["differs"] is False:
        return "Keep the decibels."
    if of["applied"] is None:
        return f"Leave {name}'s input: no layer behind the first holds training's statistics, so no correction can be checked there."
    return f"Correct {name}'s input by {of['applied']!r} when tagging ({meaning(of['applied'])}); off by default and in parity."


def _scores(name, seen):
    of, port = seen["original"], seen["port"]
    rows = [[candidate, meaning(candidate), value, *of["margin"][candidate], port["score"][candidate], _remark(candidate, seen)]
            for candidate, value in sorted(of["score"].items(), key=lambda item: item[1])]
    note = ("Nats a value (Kullback-Leibler; 0 is a perfect fit), averaged over channels, clips and layers. Margin: 95 % interval of the "
            f"distance above the selected one over resampled clips and channels; nearest in {of['wins']:.0%} of them. Constants are "
            "fitted to the other clips, never to the clip that is scored.")
    return Table(f"input-{name}-scores", f"{name}: how far each correction leaves what arrives from what is stored",
                 ["correction", "what it means", "original", "margin low", "margin high", "port", "remark"], rows, note,
                 {"kind": "bars", "x": "correction", "y": ["original"], "series": None, "log": True})


def _remark(candidate, seen):
    if candidate == seen["original"]["selected"]:
        return "selected"
    if candidate in seen["ruled_out"]:
        return f"not in training: it would leave 0 in the stored means, not {seen['centres'][candidate]:.3g}"
    return "cannot be told from the selected" if candidate in seen["original"]["tied"] else ""


def _layers(name, seen):
    of, rows = seen["original"], []
    for candidate in dict.fromkeys(filter(None, (ASIS, of["selected"], of["closest"], of["applied"]))):
        for layer, values in of["distances"][candidate].items():
            channels = values[:, ~np.isnan(values).all(axis=0)]
            mean = np.nanmean(channels, axis=0)
            rows.append([layer, candidate, float(np.nanmean(values)), float(np.median(mean)), float(mean.max())])
    return Table(f"input-{name}-layers", f"{name}: what arrives against what is stored, through the network",
                 ["layer", "correction", "nats a value", "median channel", "worst channel"], rows,
                 "Mean over clips; a channel is a time frame at bn_0_freq. Layers that training never updated are not there.",
                 {"kind": "bars", "x": "layer", "y": ["nats a value"], "series": "correction", "log": True})


def _synthesised(name, seen):
    rows = [[correction, value] for correction, value in sorted(seen["synthesised"].items(), key=lambda item: item[1])]
    return Table(f"input-{name}-synthesised", f"{name}: synthesised sounds, kept apart", ["correction", "nats a value"], rows,
                 "By the port. These sounds are no music that training heard, and had no part in the selection.")


def constants(found, data):
    """Whether training used the same constants for all clips: the stored means say so, without any clip."""
    average = {name: seen["centres"]["clip"] for name, seen in found.items()}
    share = {name: abs(average[name]) / seen["rounding"] for name, seen in found.items()}
    holds = judge_constants(share.values())
    said = ", ".join(f"{value:.3g} ({name})" for name, value in average.items())
    claim = f"The stored means average {said} over the frames" + {
        True: ", and standardising each clip over them would leave 0: training used one offset and one gain for the whole collection, or "
              "standardised over another stretch of the clip.",
        False: ": 0 to rounding, as standardising each clip by itself leaves it.",
        None: ": these models were not trained on the same kind of input."}[holds]
    rows = [[name, candidate, value, seen["rounding"], candidate not in seen["ruled_out"]]
            for name, seen in found.items() for candidate, value in seen["centres"].items()]
    table = Table("input-constants-means", "What a correction would leave at 0 in bn_0_freq's stored means",
                  ["model", "correction", "measured", "rounding allows", "possible"], rows,
                  "clip and band: the average over all frames; frame: the largest of any frame.")
    effect = {"what": "average of the stored means, as a share of what rounding allows", "value": max(share.values()), "unit": "times"}
    return Finding("input-constants", claim, verdict(holds), effect,
                   "Standardise each clip by itself: the constants of the training collection are in none of these files.",
                   scope(data, carries_over=False), [table])


def judge_constants(shares):
    """Whether all averages are more than rounding (True), none is (False), or only some (None). shares: average over rounding."""
    beyond = [not share <= 1 for share in shares]
    return True if all(beyond) else None if any(beyond) else False
