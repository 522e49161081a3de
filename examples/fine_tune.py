"""Fine-tune the 10-genre CRNN on your own folders, as the original project trained it on GTZAN.

    python examples/fine_tune.py FOLDER_OF_GENRES OUT.npz [--weights FILE] [--epochs 5] [--whole]

FOLDER_OF_GENRES holds a folder of audio per genre, named after the model's tags. Only the last
layer (`preds`) learns unless --whole is given. OUT.npz is read by `python -m tagger tag --weights
OUT.npz`.
"""

import argparse
import sys
from pathlib import Path

# Run from a clone: parity and tagger are beside this folder, not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import chainer
import chainer.functions as F
import numpy as np

from parity.errors import CannotRun
from parity.files import check_writable, publish
from parity.port.weights import npz_bytes
from tagger import load_tagger
from tagger.audio import AudioError, melgram
from tagger.evaluating import genres_of, tracks_of
from tagger.weight_files import inherited

LEARNING_RATE = 0.001  # Adam's of the original (train_tagger_net.py compiles with Keras's default)
HEAD = "preds"


def read_folder(folder, tags):
    """Mel spectrograms (n,1,96,1366) float32 and one-hot targets (n,tags) int32 of all tracks."""
    clips, targets = [], []
    tracks, found = tracks_of(folder, genres_of(folder, tags))
    errors = [*found.errors]
    for path, genre in tracks.items():
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


def fine_tune(network, clips, targets, epochs, batch_size=4, whole=False, seed=0):
    """Train in place; returns the mean loss (sigmoid cross entropy) of each epoch.

    Head only: the layers before it stay in the test phase, so the stored statistics and their
    features do not move.
    """
    optimizer = chainer.optimizers.Adam(alpha=LEARNING_RATE if whole else 10 * LEARNING_RATE)
    optimizer.setup(network if whole else network[HEAD])
    inputs = clips if whole else features(network, clips, batch_size)
    logits = network.logits if whole else network[HEAD].logits
    order, losses = np.random.default_rng(seed), []
    for _ in range(epochs):
        total = 0.0
        for batch in np.array_split(order.permutation(len(inputs)), -(-len(inputs) // batch_size)):
            loss = F.sigmoid_cross_entropy(logits(inputs[batch]), targets[batch])
            network.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss.array) * len(batch)
        losses.append(total / len(inputs))
    return losses


def features(network, clips, batch_size):
    """The head's input for clips (n,1,96,1366), in the test phase: (n,32) float32."""
    *before, _ = network.layer_names
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        batches = (clips[at : at + batch_size] for at in range(0, len(clips), batch_size))
        return np.concatenate([network.through(x, before).array for x in batches])


def main(arguments=None):
    """Read, train, print the losses, save; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--weights", help="what to start from; default: the published weights")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--whole", action="store_true", help="train every layer, not only the last")
    options = parser.parse_args(arguments)
    try:
        check_writable(options.out, ".npz")
        tagger = load_tagger("CRNN", options.weights)
        clips, targets = read_folder(options.folder, tagger.tags)
        origin = inherited(tagger.network, tagger.source)
        losses = fine_tune(tagger.network, clips, targets, options.epochs, whole=options.whole)
        for epoch, loss in enumerate(losses, 1):
            print(f"epoch {epoch}: loss {loss:.4f}")
        source = f"fine-tuned on {Path(options.folder).name}"
        made = npz_bytes(tagger.network, source=source, **origin)
        publish({options.out: made}, kind=".npz")
    except (ValueError, CannotRun) as error:
        print(f"fine_tune: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
