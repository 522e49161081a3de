"""`parity corpus`: original, port and oracle on every clip of a collection."""

from dataclasses import replace
from pathlib import Path

import click

from parity.model import KERAS_VERSIONS, Case
from parity.options import FOLDER as FOLDER_TYPE
from parity.options import MODELS, ORIGINAL, OUT, SEED, Asked, command_line, option, port, takes
from parity.program import FORCE, Command, end, say

FAILED_SOME = 1
NOTHING = 3


@click.command("corpus", cls=Command, example="parity corpus songs --model CNN --workers 2")
@click.argument("clips", nargs=-1, metavar="FOLDER|LIST|PATTERN...")
@takes(MODELS, ORIGINAL, port("The port to prove."), SEED)
@option("--weights", help="A Keras weight file of the chosen model; default: the published one.")
@option("--keras", type=click.Choice(KERAS_VERSIONS), help="The release to run the originals on.")
@option(
    "--batch-size", "batch", default=1, type=click.IntRange(1),
    help="Clips that are proved together, under one verdict.",
)  # fmt: skip
@option(
    "--workers", type=click.IntRange(0, 999), default=None,
    help="Processes that prove, each with three recorders; by default one for two cores. 0: none "
    "but this.",
)  # fmt: skip
@option(
    "--scheduler", metavar="ADDRESS",
    help="A Dask cluster that proves, by its scheduler, as tcp://HOST:8786 (docs/scaling.md).",
)  # fmt: skip
@option("-o", "--out", default=str(OUT / "corpus"), type=FOLDER_TYPE, help="Where the outputs go.")
@FORCE
def command(
    clips: tuple[str, ...],
    models: tuple[str, ...],
    original: str | None,
    custom: str | None,
    inputs: tuple[str, ...],
    port: str,
    seed: int | None,
    weights: str | None,
    keras: str | None,
    batch: int,
    workers: int | None,
    scheduler: str | None,
    out: Path,
) -> None:
    """Prove a port on every clip of a collection: original, port and oracle, a row for each clip
    and model.

    Writes corpus.json, corpus.html and every row as corpus.parquet (.csv where pyarrow is not
    installed). The same command goes on where it was stopped. Exit codes: 0 every clip holds; 1
    some do not, or could not be read; 2 the run could not be made; 3 nothing was proved.
    """
    from parity.corpus.job import Collection

    asked = Asked(models, (), weights, (), keras, original, custom, inputs)
    cases = _cases(asked, clips)
    collection = Collection(cases, port, batch, seed, out, command_line())
    document = collection.prove(scheduler, workers)
    failed = sum(model["failed"] for model in document["models"])
    proved = sum(model["clips"] for model in document["models"]) - failed
    if failed:
        say(f"{failed} could not be proved; the rows say why", err=True)
    held = document["verdict"] == "HOLDS" and not failed
    end(NOTHING if not proved else 0 if held else FAILED_SOME)


def _cases(asked: Asked, given: tuple[str, ...]) -> dict[Case, list[str]]:
    """The keys of each case."""
    from parity.corpus import listing
    from parity.engine.listing import BETWEEN

    if asked.original and given:
        keys = listing.arrays(given)
        asked = replace(asked, inputs=tuple(keys[0].split(BETWEEN)))
    cases, _ = asked.chosen()
    found: dict[Case, list[str]] = {}
    music: list[str] | None = None
    for case in cases:
        if not case.model.of_clips:
            own = [BETWEEN.join(map(str, case.clips))]
            found[case] = listing.arrays(given) if given else own
            continue
        if music is None:
            music, said = listing.clips(given or tuple(map(str, case.clips)))
            for sentence in said:
                say(sentence, err=True)
        found[case] = music
    return found
