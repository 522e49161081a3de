"""Fine-tune the 10-genre CRNN on your own folders, as the original project trained it on GTZAN.

    python examples/fine_tune.py FOLDER_OF_GENRES OUT.npz [--weights FILE] [--epochs 5] [--whole]

FOLDER_OF_GENRES holds a folder of audio per genre, named after the model's tags. Only the last
layer (`preds`) learns unless --whole is given. OUT.npz is read by `python -m tagger tag --weights
OUT.npz`.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # run from a checkout: port is beside this folder, not installed

import chainer
import chainer.functions as F
import numpy as np

from parity.port.files import check_writable
from parity.port.weights import save_npz
from tagger import load_tagger
from tagger.audio import AudioError, melgram
from tagger.evaluating import genres_of, tracks_of
from tagger.locate import weights_of
from tagger.provenance import inherited

LEARNING_RATE = 0.001  # Adam's of the original (train_tagger_net.py compiles with Keras's default)
HEAD = "preds"


def read_folder(folder, tags):
    """Mel spectrograms (n,1,96,1366) float32 and one-hot targets (n,tags) int32 of all readable
    tracks.
    """
    clips, targets = [], []
    tracks, errors = tracks_of(folder, genres_of(folder, tags))
    for path, genre in tracks.values():
        try:
            clips.append(melgram(path))
        except AudioError as error:
            errors.append(error)
            continue
        targets.append([int(tag == genre) for tag in tags])
    for error in errors:
        print(f"left out: {error}", file=sys.stderr)
    if not clips:
        raise ValueError(
            f"{folder}: no track could be read; give a folder with audio in a folder per genre"
        )
    return np.concatenate(clips), np.array(targets, np.int32)


def fine_tune(tagger, clips, targets, epochs, batch_size=4, whole=False, seed=0):
    """Train in place; returns the mean loss (sigmoid cross entropy) of each epoch.

    Head only: the layers before it stay in the test phase, so the stored statistics and their
    features do not move.
    """
    optimizer = chainer.optimizers.Adam(alpha=LEARNING_RATE if whole else 10 * LEARNING_RATE)
    optimizer.setup(tagger if whole else tagger[HEAD])
    inputs = clips if whole else features(tagger, clips, batch_size)
    logits = tagger.logits if whole else tagger[HEAD].logits
    order, losses = np.random.default_rng(seed), []
    for _ in range(epochs):
        total = 0.0
        for batch in np.array_split(order.permutation(len(inputs)), -(-len(inputs) // batch_size)):
            loss = F.sigmoid_cross_entropy(logits(inputs[batch]), targets[batch])
            tagger.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss.array) * len(batch)
        losses.append(total / len(inputs))
    return losses


def features(tagger, clips, batch_size):
    """What the head is given for clips (n,1,96,1366): (n,32) float32, in the test phase."""
    *before, _ = tagger.steps().values()
    parts = []
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for at in range(0, len(clips), batch_size):
            x = clips[at : at + batch_size]
            for step in before:
                x = step(x)
            parts.append(chainer.as_array(x))
    return np.concatenate(parts)


def main(arguments=None):
    """Read, train, print the losses, save; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--weights", help="what to start from; default: the published weights")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--whole", action="store_true", help="train every layer, not the last alone"
    )
    options = parser.parse_args(arguments)
    try:
        check_writable(options.out)
        tagger = load_tagger("CRNN", options.weights)
        clips, targets = read_folder(options.folder, tagger.tags)
        origin = inherited(tagger, options.weights or weights_of("CRNN"))
        for epoch, loss in enumerate(
            fine_tune(tagger, clips, targets, options.epochs, whole=options.whole), 1
        ):
            print(f"epoch {epoch}: loss {loss:.4f}")
        save_npz(options.out, tagger, source=f"fine-tuned on {Path(options.folder).name}", **origin)
    except ValueError as error:
        print(f"fine_tune: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
