"""The options that commands share, and what they have in common."""

import functools
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from parity import model, project
from parity.errors import CannotRun
from parity.model import KERAS_VERSIONS, Case
from parity.ports import OURS, PREFIX
from parity.program import Name, say
from parity.settings import setting, variables

Decorator = Callable[[Any], Any]
FILE = Name(dir_okay=False, path_type=Path)
FOLDER = Name(file_okay=False, path_type=Path)
OUT = Path("reports/out")
TIMEOUT = "PARITY_PORT_TIMEOUT_S"
NAMES, TRANSFORMS = "--names", "--allow-transform"


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


@dataclass
class Asked:
    """The models, layers, weight file, clips and Keras release that a command was given; or an
    original from outside with its inputs.
    """

    models: tuple[str, ...]
    layers: tuple[str, ...]
    weights: str | None
    clips: tuple[str, ...]
    keras: str | None = None
    original: str | None = None
    custom: str | None = None
    inputs: tuple[str, ...] = ()

    def chosen(self) -> tuple[list[Case], tuple[str, ...] | None]:
        """(cases, names of layers or None for all). Raises CannotRun for what is not known."""
        if self.original:
            from parity import originals  # late: it brings the recorders

            if self.models or self.clips:
                raise CannotRun("--original is a model of its own; leave --model and clips away")
            case = originals.case_of(
                self.original, self.weights, self.inputs, keras=self.keras, custom=self.custom
            )
            chosen = told([case])
            return chosen, project.layers_of(chosen, self.layers)
        if self.inputs or self.custom:
            raise CannotRun("--input and --custom belong to an --original; give that too")
        chosen = told(project.cases(self.models, self.weights, self.clips, self.keras))
        return chosen, project.layers_of(chosen, self.layers)


def told(cases: list[Case]) -> list[Case]:
    """The cases with what was told of the port: what it calls their layers (--names), and which of
    them it may compute by way of a transform (--allow-transform).
    """
    meta = click.get_current_context().meta
    path: Path | None = meta.get(NAMES)
    cases = project.allowing(cases, meta.get(TRANSFORMS, ()))
    if path is None:
        return cases
    from parity import port_names  # late: it brings every kind

    if len(cases) != 1:
        raise CannotRun("--names is about one model; say which with --model")
    said = port_names.read(path)
    case = port_names.named(cases[0], said.get("names", {}), said.get("fused", {}), path)
    if asked_by := case.model.asked_by:
        asked_by += f" {NAMES} {shlex.quote(str(path))}"
        again = case.model.defined._replace(asked_by=asked_by)
        case = case._replace(model=case.model._replace(definition=again))
    return [case]


def _gathered(command: Any) -> Any:
    """The command with one argument Asked in the place of those that make it up."""

    @functools.wraps(command)
    def call(
        models: tuple[str, ...],
        weights: str | None,
        clips: tuple[str, ...],
        more_clips: tuple[str, ...],
        keras: str | None,
        layers: tuple[str, ...] = (),
        original: str | None = None,
        custom: str | None = None,
        inputs: tuple[str, ...] = (),
        **more: Any,
    ) -> Any:
        clips = (*clips, *more_clips)
        asked = Asked(models, layers, weights, clips, keras, original, custom, inputs)
        return command(asked, **more)

    return call


def _wait(context: click.Context, _: click.Parameter, seconds: float | None) -> None:
    if seconds is not None:  # in the environment, where processes find it
        context.with_resource(variables({TIMEOUT: str(seconds)}))


def _command(context: click.Context, _: click.Parameter, command: str | None) -> None:
    context.meta[PREFIX] = command


def _names(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    context.meta[NAMES] = path


def _transforms(context: click.Context, _: click.Parameter, layers: tuple[str, ...]) -> None:
    context.meta[TRANSFORMS] = layers


def _named(context: click.Context, parameter: click.Parameter, port: str) -> str:
    command: str | None = context.meta.get(PREFIX)
    given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    if command is not None and given:
        raise click.UsageError("--port and --port-command are two ports; give one")
    return port if command is None else PREFIX + command


def port(help: str) -> Decorator:
    return takes(
        option(
            "--port", default=OURS, metavar="MODULE:FUNCTION|NET.onnx", callback=_named, help=help
        ),
        option(
            "--port-command",
            metavar="COMMAND",
            expose_value=False,
            is_eager=True,
            callback=_command,
            help="A port in any language, called as COMMAND FOLDER: docs/any-keras-1-model.md.",
        ),
        option(
            NAMES,
            type=FILE,
            metavar="FILE.toml",
            expose_value=False,
            callback=_names,
            help="What the port calls its layers, where not as Keras: tables [names] and [fused].",
        ),
        option(
            TRANSFORMS,
            multiple=True,
            metavar="LAYER",
            expose_value=False,
            callback=_transforms,
            help="The port may convolve here by way of FFT or Winograd (repeatable).",
        ),
        option(
            "--port-timeout",
            type=float,
            metavar="SECONDS",
            expose_value=False,
            callback=_wait,
            help=f"How long the port may take for one answer; also {TIMEOUT}; default: 900.",
        ),
    )


def command_line() -> str:
    """The command as it was typed, without this folder's own path."""
    return shlex.join(["parity", *sys.argv[1:]]).replace(os.getcwd() + "/", "")


# what decides what is compared; the rest chooses among it, or says how it is told
KEPT = set(
    "--original --custom --input --weights --keras --clips --port --port-command --port-timeout "
    "--allow-transform --names --fused".split()
)


def again(*command: str) -> str:
    """The command in progress with all that decides what it compares, as it is typed, and its
    outputs elsewhere; command: another one with the same options. Add --model, --layer and --seed.
    """
    context = click.get_current_context()
    named = {name: each for each in context.command.params for name in each.opts}
    data = setting("PARITY_DATA")
    own = str(context.command.name)
    words = [*_program(), *(command or (own,)), "--out", str(OUT / "again")]
    words += ["--data", str(data)] if data else []
    rest = iter(sys.argv[sys.argv.index(own) + 1 :] if own in sys.argv else [])
    for word in rest:
        name, is_whole, _ = word.partition("=")
        option = named.get(name)
        takes_more = option and not getattr(option, "is_flag", False) and not is_whole
        given = [word, *([next(rest, "")] if takes_more else [])]
        if name in KEPT or not word.startswith("-"):
            words += given
    return shlex.join(words).replace(os.getcwd() + "/", "")


def _program() -> list[str]:
    """How this program was started."""
    return ["parity"] if Path(sys.argv[0]).stem == "parity" else [sys.executable, "-m", "parity"]


def asks_for(command: str, model: str) -> str:
    """A command of `again` for one model; an --original is one already."""
    chosen = "--original" in shlex.split(command)
    return command if chosen else f"{command} --model {shlex.quote(model)}"


def _own(_: click.Context, __: click.Parameter, is_asked: bool) -> None:
    here = Path().resolve()
    if is_asked and not project.is_one(here) and here not in model.SHIPPED.resolve().parents:
        raise CannotRun(
            f"there is no {project.FILE} here, and no [tool.parity] in {project.SHARED}, so there "
            "is nothing of this folder's to judge; write one with `parity init`"
        )


PROJECT_ONLY = option(
    "--project-only", is_flag=True, expose_value=False, callback=_own,
    help="Where this folder has no project file, refuse, in place of taking the taggers.",
)  # fmt: skip
MODELS = option(
    "-m", "--model", "models", multiple=True,
    help="CRNN, CRNN50, CNN0 or CNN (repeatable); default: CRNN, CNN0, CNN.",
)  # fmt: skip
LAYERS = option(
    "-l", "--layer", "layers", multiple=True, help="Judge only this layer (repeatable)."
)


def _clip_files(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        return given
    from parity.recording.clips import clip_files

    paths, said = clip_files(given)
    for sentence in said:
        say(sentence, err=True)
    return tuple(paths)


CLIPS = takes(
    option(
        "--clips", multiple=True, metavar="CLIP...", callback=_clip_files,
        help="Mel spectrograms (.npy), audio files, folders, quoted patterns and lists of both; "
        "default: the two published ones.",
    ),
    click.argument("more_clips", nargs=-1, metavar="[CLIP]...", callback=_clip_files),
)  # fmt: skip
ORIGINAL = takes(
    option(
        "--original", metavar="FILE",
        help="Another Keras 1 model: the text of model.to_json(), a file of model.save, or "
        "FILE.py:FUNCTION, which returns the model. With --keras, --weights and --input.",
    ),
    option("--custom", metavar="FILE.py", help="The classes and functions that it needs."),
    option(
        "--input", "inputs", multiple=True, metavar="X.npy",
        help="What it is run on: one array for each of its inputs, in their order.",
    ),
)  # fmt: skip
INPUT = takes(
    option(
        "--weights",
        help="A Keras weight file of the chosen model; default: the published one.",
    ),
    option(
        "--keras", type=click.Choice(KERAS_VERSIONS),
        help="The Keras release to run the originals on; default: what the weight file says, else "
        "assumed.",
    ),
    CLIPS,
    _gathered,
)  # fmt: skip
SEED = option(
    "--seed", type=click.IntRange(0), default=None,
    help="Of the random probes; by default another one each time, which is printed.",
)  # fmt: skip
WORKERS = option("--workers", default=2, type=click.IntRange(1), help="Processes side by side.")
OUT_FOLDER = option("-o", "--out", default=str(OUT), type=FOLDER, help="Where the outputs go.")


def out_of(name: str) -> Decorator:
    """The option --out of a command that writes one document, `name`: the folder, or a file of
    another name. The command gets the document's path as `output`.
    """

    def path(_: click.Context, __: click.Parameter, out: Path) -> Path:
        return out if out.suffix == Path(name).suffix else out / name

    return option(
        "-o", "--out", "output", default=str(OUT), type=Name(path_type=Path), callback=path,
        help=f"Where {name} goes: a folder, or a file.",
    )  # fmt: skip
