"""What a correction of the input does to the tags, and whether two models trained on the same tags then agree."""

import json
from pathlib import Path

import numpy as np

from parity.investigate.finding import Finding, Table, scope, verdict
from parity.investigate.input_candidates import ASIS
from parity.tags import ranking

PUBLISHED = Path(__file__).parents[2] / "fixtures" / "published.json"
SHOWN = 5


def tag_table(name, seen):
    """The first tags of every clip under the corrections that matter, the published ones of 2018 beside them."""
    of, rows = seen["original"], []
    names = tag_names(of["tags"][ASIS][0].shape[1])
    for at, clip in enumerate(seen["clips"]):
        plain = of["tags"][ASIS][0][at]
        for correction in dict.fromkeys(filter(None, (ASIS, of["selected"], of["closest"], of["applied"]))):
            scores, ported = of["tags"][correction][0][at], seen["port"]["tags"][correction][0][at]
            rows.append([clip, correction, first_tags(names, scores), *(float(np.abs(scores - other).max()) for other in (plain, ported))])
        rows += [[clip, "published, 2018", _said(tags), None, None] for tags in _published(name, clip)]
    return Table(f"input-{name}-tags", f"{name}: the first {SHOWN} tags",
                 ["clip", "correction", "tags", "largest change", "port to original"], rows,
                 "Tags in percent of the row's sum, by the original; largest change of a score against decibels as they are. The "
                 "published ones were computed from wav.")


def tag_names(count):
    """The names of 10 or 50 scores."""
    from port.tags import GENRES, TAGS

    return {len(names): names for names in (GENRES, TAGS)}[count]


def first_tags(names, scores):
    """The first tags of scores (tags,), in percent of their sum, as text."""
    percent = scores / scores.sum() * 100
    return ", ".join(f"{names[at]} {percent[at]:.1f}" for at in ranking(scores)[:SHOWN])


def _said(tags):
    return ", ".join(f"{tag} {percent:.1f}" for tag, percent in list(tags.items())[:SHOWN])


def _published(name, clip):
    known = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = known["models"].get(name, [])
    return [tags for path, tags in zip(known["clips"], rows, strict=bool(rows)) if Path(path).stem == clip]


def agreement(found, data):
    """Whether CNN agrees better with CNN0 once its input is corrected, which was no part of choosing the correction.

    found: {model: what input.look_at saw}. CNN0 gets decibels: its layers normalise with the batch's own statistics.
    """
    of, other = found["CNN"]["original"], found["CNN0"]["original"]["tags"][ASIS][1]
    alike = {name: correlations(logits, other) for name, (_, logits) in of["tags"].items()}
    before, after = alike[ASIS], alike[of["applied"]]
    holds = judge_agreement(before, after)
    claim = (f"Over {other.shape[1]} tags CNN's logits correlate with CNN0's by {_listed(before)} on the clips as decibels, and by "
             f"{_listed(after)} after the input correction {of['applied']!r}.")
    advice = f"Correct CNN's input by {of['applied']!r}, or use CNN0." if holds else "Do not take the corrected tags on trust."
    effect = {"what": "mean correlation of CNN's logits with CNN0's, corrected less uncorrected",
              "value": float(np.mean(after) - np.mean(before)), "unit": "correlation"}
    sentence = f"Corrected, CNN agrees with CNN0: their logits correlate by {np.mean(after):.2f} instead of {np.mean(before):.2f}."
    return Finding("input-agreement", claim, verdict(holds), effect, advice, scope(data, carries_over=False),
                   [_correlation_table(alike, of["tags"], found["CNN"]["clips"])], sentence if holds else None)


def _correlation_table(alike, tags, clips):
    names = tag_names(next(iter(tags.values()))[0].shape[1])
    rows = [[name, *values, "; ".join(f"{clip}: {names[ranking(row)[0]]}" for clip, row in zip(clips, tags[name][0], strict=True))]
            for name, values in sorted(alike.items(), key=lambda item: -np.mean(item[1]))]
    return Table("input-agreement-correlation", "CNN under every correction against CNN0 on decibels",
                 ["correction", *clips, "first tag"], rows,
                 "Pearson correlation of the logits, clip by clip. CNN0 has the same tags and took no part in choosing the correction.",
                 {"kind": "bars", "x": "correction", "y": list(clips), "series": None, "log": False})


def correlations(actual, expected):
    """Pearson's r of each row: (clips, tags) twice -> [r of each clip]."""
    return [float(np.corrcoef(one, other)[0, 1]) for one, other in zip(actual.astype(np.float64), expected, strict=True)]


def judge_agreement(before, after):
    """True where every clip agrees better after than before, False where none does, None (not decidable) else."""
    better = [new > old for old, new in zip(before, after, strict=True)]
    return True if all(better) else None if any(better) else False


def _listed(values):
    return " and ".join(f"{value:.2f}" for value in values)
