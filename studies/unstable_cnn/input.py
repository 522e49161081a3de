"""Does the input match what the weights were trained on, and which correction of it would?

What arrives at every normalisation is held against what that normalisation stored in training, for
the decibels as they are and for each candidate correction. Constants that a candidate needs are
fitted to the other clips, never to the clip that is scored, or are those of another music
collection, which are fitted to nothing here. CNN0, which has the same tags as CNN and takes no part
in choosing its correction, then judges it.
"""

import numpy as np

from parity.attribution.tags import ranking
from parity.studies.unstable_cnn import averages, ports, runs
from parity.studies.unstable_cnn.input_candidates import ASIS, RIVALS, collection, meaning
from parity.studies.unstable_cnn.input_fit import distances_of, look_at, prepare, unfitted
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.subject import COLLECTIONS_MODEL, companions
from parity.studies.unstable_cnn.tags import correlation, first_tag, first_tags, names_of, published

SYNTHESISED = (1, 2)  # numbers of parity.fixtures.synthesis
ON_SYNTHESISED = (ASIS, "clip", "offset and gain", "half")  # the corrections tried on them
TRIED, JUDGE = "CNN", "CNN0"
# Companions, each put beside each clip: the judge's answer depends on its batch, so it is asked in
# several.
BESIDE = ("silence", "noise")
MOST_CHANNELS = 32  # of each layer, at equal distances


def ask(subject):
    """Whether each model's input fits, whether training used the same constants for all clips, and
    whether CNN, corrected, agrees with CNN0. Silent clips are left out.
    """
    clips = subject.with_sound("put in")
    scales = {name: collection(subject, name) for name in subject.cases}
    tried = {
        name: prepare(case, clips, scale=scales[name][0]) for name, case in subject.cases.items()
    }
    more = judging(clips) if {TRIED, JUDGE} <= set(subject.cases) else {}
    live = subject.originals(
        {
            name: {"batches": {**tried[name].batches, **(more if name == JUDGE else {})}}
            for name in subject.cases
        }
    )
    found = {
        name: look_at(
            tried[name], {"original": live[name], "port": ports.run(case, tried[name].batches)}
        )
        for name, case in subject.cases.items()
    }
    outcomes = []
    for name, case in subject.cases.items():
        apart = {
            "synthesised": synthesised(case),
            "scale": scales[name][1],
            "floor": floor_of(found.get(COLLECTIONS_MODEL), tried[name].remembered),
        }
        outcomes.append(fits(name, {**found[name], **apart}))
    corrected = {name: seen for name, seen in found.items() if seen["original"]["selected"] != ASIS}
    outcomes += [constants(corrected)] if corrected else []
    if TRIED in corrected and more:
        last = runs.LOGITS.format(subject.cases[JUDGE].model.layers[-1])
        judged = {label: live[JUDGE][label].outputs[last] for label in more}
        outcomes.append(agreement(found[TRIED], judged))
    return outcomes


def judging(clips):
    """{label: batch} for the judge: all clips, each alone, and each beside silence and noise."""
    beside = {name: companions({})[name] for name in BESIDE}
    return {
        "all": np.concatenate(list(clips.values())),
        **{f"alone|{clip}": x for clip, x in clips.items()},
        **{
            f"{name}|{clip}": np.concatenate([x, mate])
            for name, mate in beside.items()
            for clip, x in clips.items()
        },
    }


def floor_of(seen, layers):
    """(score, range) on these layers of the model whose input fits: what a good fit comes to."""
    of = seen and seen["original"]
    if not of or of["differs"] is not False:
        return None
    held = {
        ASIS: {layer: values for layer, values in of["distances"][ASIS].items() if layer in layers}
    }
    return averages.score(held[ASIS]), averages.interval(averages.resampled(held)[ASIS])


def synthesised(case):
    """{correction: nats a value} of the port on made-up sounds, which training never heard."""
    from parity.fixtures import synthesis

    clips = {f"synthesised {number}": synthesis.mel_spectrogram(number) for number in SYNTHESISED}
    tried = prepare(case, clips, ON_SYNTHESISED)
    seen = ports.run(case, tried.batches)
    return {name: averages.score(distances_of(name, tried, seen)) for name in tried.inputs}


def fits(name, seen):
    """The outcome on a model's input: not decidable where original and port select different
    corrections, or the decibels cannot be told from the best. seen: of look_at, and what `ask`
    puts beside it.
    """
    of, port = seen["original"], seen["port"]
    agree = of["selected"] == port["selected"]
    applied, shown = of["applied"], [of["selected"], unfitted(of), of["closest"], of["applied"]]
    shown = list(dict.fromkeys(filter(None, shown)))
    with_asis = list(dict.fromkeys([ASIS, *shown]))
    score = of["score"]
    return Outcome(
        "fits",
        of["differs"] if agree else None,
        score[ASIS] / score[of["selected"]],
        {
            "model": name,
            "clips": len(seen["clips"]),
            "layers": len(of["distances"][ASIS]),
            "asis": score[ASIS],
            "corrections": len(score) - 1,
            "selected": of["selected"],
            "nearest": score[of["selected"]],
            "by_port": port["selected"],
            "wins": of["wins"],
            "shown": [[meaning(each), score[each]] for each in shown],
            "applied": applied and [applied, meaning(applied)],
            "floor": _floor(seen),
            "collections_model": COLLECTIONS_MODEL,
            "rivals": RIVALS,
            "rival": nearest_rival(seen),
            "turned": turned(seen, unfitted(of)),
            "scale": seen["scale"],
        },
        [
            Rows("scores", _score_rows(seen)),
            Rows("layers", layer_rows(seen, with_asis)),
            _channels(seen),
            Rows("tags", _tag_rows(name, seen, with_asis)),
            Rows("synthesised", sorted(seen["synthesised"].items(), key=lambda item: item[1])),
        ],
    )


def _floor(seen):
    """(what CRNN's own input comes to, whether the best fit is as good), None where unknown."""
    if not seen["floor"]:
        return None
    floor, (_, high) = seen["floor"]
    return floor, seen["original"]["range"][seen["original"]["selected"]][0] <= high


def nearest_rival(seen):
    """(name, score, margin low, high) of the nearest possible candidate among RIVALS."""
    of = seen["original"]
    rivals = [
        name for name in of["score"] if name.startswith(RIVALS) and name not in seen["ruled_out"]
    ]
    nearest = min(rivals, key=of["score"].get, default=None)
    return nearest and (nearest, of["score"][nearest], *of["margin"][nearest])


def turned(seen, correction):
    """(clip, first tag, percent, the same corrected) of the largest change of a first tag."""
    before, after = (seen["original"]["tags"][name][0] for name in (ASIS, correction))
    rows = [
        (float(np.abs(new - old).max()), clip, *first_tag(old), *first_tag(new))
        for clip, old, new in zip(seen["clips"], before, after, strict=True)
    ]
    return max((row for row in rows if row[2] != row[4]), default=(None,))[1:] or None


def _score_rows(seen):
    """Every correction, the nearest first."""
    of = seen["original"]

    def remark(candidate):
        if candidate == of["selected"]:
            return "selected"
        if candidate in seen["ruled_out"]:
            left = f"{seen['centres'][candidate]:.3g}"
            return f"not in training: it would leave 0 in the stored means, not {left}"
        return "cannot be told from the selected" if candidate in of["tied"] else ""

    return [
        [
            candidate,
            meaning(candidate),
            value,
            *of["margin"][candidate],
            seen["port"]["score"][candidate],
            remark(candidate),
        ]
        for candidate, value in sorted(of["score"].items(), key=lambda item: item[1])
    ]


def layer_rows(seen, corrections):
    """The fit of each layer, and whether what arrives there lies too low or is too wide."""
    of, rows = seen["original"], []
    for candidate in corrections:
        for layer, values in of["distances"][candidate].items():
            mean = np.nanmean(values[:, ~np.isnan(values).all(axis=0)], axis=0)
            figures = (
                np.nanmean(values),
                np.median(mean),
                mean.max(),
                *np.median(of["standing"][candidate][layer], axis=1),
            )
            rows.append([layer, candidate, *map(float, figures)])
    return rows


def _channels(seen):
    """Channel by channel, as it is and with the correction that stands for training's scale."""
    standing = seen["original"]["standing"]
    corrections = list(dict.fromkeys((ASIS, unfitted(seen["original"]))))
    rows = []
    for layer, (shift, _) in standing[ASIS].items():
        for at in np.unique(np.linspace(0, len(shift) - 1, MOST_CHANNELS).round().astype(int)):
            figures = np.concatenate([standing[each][layer][:, at] for each in corrections])
            rows.append([layer, int(at), *figures.tolist()])
    columns = [
        f"{what} ({each})"
        for each in corrections
        for what in ("mean above the stored", "deviation over the stored")
    ]
    return Rows("channels", rows, columns, {"most": MOST_CHANNELS})


def _tag_rows(name, seen, corrections):
    """The first tags of every clip under each correction, and the published ones of 2018."""
    tags, rows = seen["original"]["tags"], []
    for at, clip in enumerate(seen["clips"]):
        for correction in corrections:
            scores = tags[correction][0][at]
            others = tags[ASIS][0][at], seen["port"]["tags"][correction][0][at]
            changes = (float(np.abs(scores - other).max()) for other in others)
            rows.append([clip, correction, first_tags(scores), *changes])
        rows += [[clip, "published, 2018", said, None, None] for said in published(name, clip)]
    return rows


def constants(found):
    """The outcome on whether training used one constant for all clips, by the stored means."""
    average = {name: seen["centres"]["clip"] for name, seen in found.items()}
    share = [abs(value) / found[name]["rounding"] for name, value in average.items()]
    rows = [
        [name, candidate, value, seen["rounding"], candidate not in seen["ruled_out"]]
        for name, seen in found.items()
        for candidate, value in seen["centres"].items()
    ]
    return Outcome(
        "constants",
        judge_constants(share),
        max(share),
        {"average": average},
        [Rows("constants", rows)],
    )


def judge_constants(shares):
    """True where all shares of rounding are beyond it, False where none is, None else."""
    beyond = [not share <= 1 for share in shares]
    return True if all(beyond) else None if any(beyond) else False


def agreement(seen, judged):
    """The outcome on CNN, corrected, against CNN0. seen: what look_at saw of CNN; judged: {label
    of `judging`: CNN0's logits (B, tags)}, decibels.

    Tags that are common in any music make logits of unlike clips correlate too, so what counts as
    agreement has to exceed that with CNN0 on the other clips.
    """
    tags, clips = seen["original"]["tags"], seen["clips"]
    correction = unfitted(seen["original"])
    by_way = {"all": dict(zip(clips, judged["all"], strict=True))}
    for label, logits in judged.items():
        way, bar, clip = label.partition("|")
        if bar:
            by_way.setdefault(way, {})[clip] = logits[0]
    plain, corrected = (dict(zip(clips, tags[name][1], strict=True)) for name in (ASIS, correction))
    rows = [
        [
            way,
            clip,
            correlation(plain[clip], other[clip]),
            correlation(corrected[clip], other[clip]),
            max(
                (correlation(corrected[clip], other[each]) for each in other if each != clip),
                default=None,
            ),
        ]
        for way, other in by_way.items()
        for clip in clips
    ]
    before, after, apart = zip(*(row[2:] for row in rows), strict=True)
    others = [value for value in apart if value is not None]
    return Outcome(
        "agreement",
        judge_agreement(before, after, apart),
        float(np.mean(after) - np.mean(before)),
        {
            "tags": len(plain[clips[0]]),
            "clips": len(clips),
            "batches": len(by_way),
            "correction": correction,
            "before": [min(before), max(before), float(np.mean(before))],
            "after": [min(after), max(after), float(np.mean(after))],
            "apart": others and [min(others), max(others)],
        },
        [
            Rows("batches", rows),
            Rows("correlation", _under_each(by_way["all"], tags, clips), clips),
        ],
    )


def judge_agreement(before, after, apart=None):
    """True where every clip agrees better after than before, and than with another clip; False
    where none does; None else.

    before, after, apart: correlations, one for each clip and batch; None in `apart`: there is no
    other clip.
    """
    rows = zip(before, after, apart or [None] * len(after), strict=True)
    better = [new > old and (other is None or new > other) for old, new, other in rows]
    return True if all(better) else None if any(better) else False


def _under_each(other, tags, clips):
    """[[correction, correlation with CNN0 of each clip, first tags]], the best first."""
    names, rows = names_of(next(iter(tags.values()))[0].shape[1]), []
    for name, (scores, logits) in tags.items():
        values = [correlation(row, other[clip]) for clip, row in zip(clips, logits, strict=True)]
        said = (
            f"{clip}: {names[ranking(row)[0]]}" for clip, row in zip(clips, scores, strict=True)
        )
        rows.append([name, *values, "; ".join(said)])
    return sorted(rows, key=lambda row: -np.mean(row[1:-1]))
