"""The options that commands share, and what they have in common."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from parity.ports import OURS

Decorator = Callable[[Any], Any]
FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
OUT = Path("reports/out")


def option(name: str, *more: str, help: str, **settings: Any) -> Decorator:
    """An option whose default is shown where it has one."""
    shown = bool(settings.get("default"))
    return click.option(name, *more, help=help, show_default=shown, **settings)


def takes(*options: Decorator) -> Decorator:
    """All of these on one command, shown in this order."""

    def decorate(command: Any) -> Any:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def port(help: str) -> Decorator:
    return option("--port", default=OURS, metavar="MODULE:FUNCTION", help=help)


def command_line() -> str:
    """The command as it was typed, without this folder's own path."""
    return shlex.join(["parity", *sys.argv[1:]]).replace(os.getcwd() + "/", "")


MODELS = option(
    "--model", "models", multiple=True,
    help="CRNN, CRNN50, CNN0 or CNN (repeatable); default: CRNN, CNN0, CNN.",
)  # fmt: skip
LAYERS = option("--layer", "layers", multiple=True, help="Judge only this layer (repeatable).")
INPUT = takes(
    option(
        "--weights",
        help="A Keras weight file of the chosen model; default: the published one.",
    ),
    option(
        "--clips", multiple=True, metavar="CLIP...",
        help="Mel spectrograms (.npy) or audio files, all in one batch; default: the two published "
        "ones.",
    ),
    click.argument("more_clips", nargs=-1, metavar="[CLIP]..."),
)  # fmt: skip
SEED = option(
    "--seed", type=click.IntRange(0), default=None,
    help="Of the random probes; by default another one each time, which is printed.",
)  # fmt: skip
WORKERS = option("--workers", default=2, type=click.IntRange(1), help="Processes side by side.")
OUT_FOLDER = option("--out", default=str(OUT), type=FOLDER, help="Where the outputs go.")
