"""`python -m parity investigate`: why the CNN's results look unstable, by experiments on the
original and on the port.
"""

import json
import sys
import time
from pathlib import Path

import click

from parity.options import CLIPS, command_line, out_of, takes
from parity.program import FORCE, JSON, Command, end, result, say, wants_json, wrote

OUTPUT = "investigation.json"
ANSWERED, NOTHING_ANSWERED = 0, 2


@click.command(cls=Command, example="parity investigate --model CNN0 --question batch")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="CNN0, CNN, CRNN or CRNN50 (repeatable); default: CNN0, CNN, CRNN.",
)
@click.option(
    "--question",
    "ids",
    multiple=True,
    metavar="ID",
    help="Ask only this question (repeatable); --list names them.",
)
@CLIPS
@click.option(
    "--pairs",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Compare the front ends on these: mel spectrograms (.npy) and recordings of the same "
    "names, below one folder; default: the clips, where they have both.",
)
@click.option("--list", "listed", is_flag=True, help="Name the questions and stop.")
@takes(out_of(OUTPUT), JSON, FORCE)
def investigate(models, ids, clips, pairs, listed, output, more_clips):
    """Find out why the CNN's results look unstable: each question ends in findings with their
    evidence.

    Writes investigation.json. Exit codes: 0 at least one question was answered, 2 none could be. A
    stopped run continues where it was.
    """
    from parity.files import check_writable
    from parity.studies.unstable_cnn import questions

    chosen = questions.select(ids)
    if listed:
        for question in chosen:
            say(f"{question.id}\t{question.text}")
        return
    check_writable(output, ".json", make=True)
    answers = _investigate(chosen, models, (*clips, *more_clips), pairs, output).questions
    end(NOTHING_ANSWERED if all(each.message for each in answers) else ANSWERED)


def _investigate(chosen, models, clips, pairs, output):
    from parity import progress
    from parity.document import to_json
    from parity.files import publish as write
    from parity.port.from_keras import VERSIONS
    from parity.provenance import environment, threads_per_worker
    from parity.reports import investigation as drawn
    from parity.reports import publish
    from parity.studies.unstable_cnn import questions
    from parity.studies.unstable_cnn.document import LeftOut, document
    from parity.studies.unstable_cnn.subject import subject

    started_s = time.perf_counter()
    with progress.shown() as shown:
        asked, left_out = subject(models, clips, shown, pairs)
        answers = questions.answer_all(chosen, asked)
    found = document(
        answers,
        data=asked.data,
        environment=environment(threads_per_worker(1), VERSIONS),
        clips=list(asked.clips),
        left_out=[LeftOut(*each) for each in left_out],
        command=command_line(),
        seconds=time.perf_counter() - started_s,
    )
    text = to_json(found)
    drawn.validate(json.loads(text), output)
    write({output: text}, kind=".json")
    result(drawn.text(drawn.read(output)), text)
    publish.redraw(output, sys.stderr if wants_json() else None)
    wrote(output)
    return found
