"""`parity export` writes an ONNX file of a Keras 1 model; `parity rescue` proves it as well."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import parity
from parity import model as models
from parity.errors import CannotRun
from parity.files import UNSEALED, atomic_write, check_writable, publish, sealed
from parity.model import KERAS_VERSIONS, Case
from parity.naming import nearest
from parity.options import FILE, FOLDER, OUT, SEED, WORKERS, command_line, option, takes
from parity.processes import scratch
from parity.program import FORCE, Command, end, say, wrote

if TYPE_CHECKING:
    import onnx

ONNX, JSON = ".onnx", "parity.json"


def _ends_so(_: click.Context, __: click.Parameter, output: Path) -> Path:
    if output.suffix != ONNX:  # by which `--port` knows it
        raise click.BadParameter(f"{output} has to end in {ONNX}")
    return output


OF = takes(
    click.argument("model"),
    click.argument("weights", required=False, type=FILE),
    option("--keras", type=click.Choice(KERAS_VERSIONS), help="The release it was trained with."),
    option("--custom", metavar="FILE.py", help="The classes and functions that it needs."),
    option(
        "-o",
        "--out",
        "output",
        type=FILE,
        required=True,
        metavar="NET.onnx",
        callback=_ends_so,
        help="Where it goes.",
    ),
)


@click.command("export", cls=Command, example="parity export CRNN -o crnn.onnx")
@OF
@option(
    "--calibration", type=FILE, metavar="FILE.npz",
    help="Of CNN0: statistics of `tagger calibrate` in the place of its batch's.",
)  # fmt: skip
@FORCE
def export(
    model: str,
    weights: Path | None,
    keras: str | None,
    custom: str | None,
    output: Path,
    calibration: Path | None,
) -> None:
    """Write MODEL as an ONNX file: a tagger by its name, or what model.to_json() returned, a file
    of model.save or FILE.py:FUNCTION, with WEIGHTS.

    Nothing is proved: `parity rescue` does that, or `parity run --port NET.onnx`.
    """
    check_writable(output, ONNX, [weights] if weights else [])
    case = _case(model, weights, keras, custom)
    made = written(case, calibration=calibration)
    publish({output: made.SerializeToString(deterministic=True)}, kind=ONNX)
    say(f"{output}: {case.model.name}, not proved yet; {len(made.graph.node)} nodes")


@click.command(
    "rescue", cls=Command, example="parity rescue net.json net.h5 --keras 1.0.6 -o net.onnx"
)
@OF
@option(
    "--input", "inputs", multiple=True, metavar="X.npy",
    help="What it is proved on, one array for each input; default: random ones, or the taggers' "
    "clips.",
)  # fmt: skip
@option("--unproved", is_flag=True, help="Leave the file there even where it does not hold.")
@option("--report", "out", default=str(OUT), type=FOLDER, help="Where the report goes.")
@takes(WORKERS, SEED, FORCE)
def rescue(
    model: str,
    weights: Path | None,
    keras: str | None,
    custom: str | None,
    output: Path,
    inputs: tuple[str, ...],
    unproved: bool,
    workers: int,
    seed: int | None,
    out: Path,
) -> None:
    """Write MODEL as an ONNX file, as `parity export` does, and prove it against the original.

    Writes the report of `parity run` too. A file that does not hold is not left there. Exit codes
    as of `parity run`.
    """
    from parity import progress, run
    from parity.document import to_json
    from parity.reports import publish as reports

    check_writable(output, ONNX, [weights] if weights else [])
    reports.check(out)
    case = _case(model, weights, keras, custom, inputs, out)
    made = written(case)
    with scratch() as folder, progress.shown() as shown:
        path = folder / output.with_suffix(ONNX).name
        atomic_write(path, made.SerializeToString(deterministic=True))
        document = run.run(
            [case], port=str(path), workers=workers, command=command_line(), progress=shown,
            seed=seed,
        )  # fmt: skip
    document["port"] = str(output)
    reports.everything(out / JSON, out, text=to_json(document))
    wrote(*(out / name for name in (reports.PAGE, JSON, *reports.FILES)))
    verdict = document["verdict"]
    if verdict != "HOLDS" and not unproved:
        say(f"{output} is not written: it does not hold; --unproved leaves it all the same")
        end(run.exit_code(document))
    harness = document["models"][0]["identity"]["stack"]["harness"]
    by = f"parity {parity.__version__}, onnxruntime {harness['onnxruntime']}"
    publish({output: proved(made, verdict, by)}, kind=ONNX)
    say(f"{output}: {verdict}. It runs by")
    for line in (
        "import onnxruntime",
        f'session = onnxruntime.InferenceSession("{output}")',
        f"y = session.run(None, {{{_feeds(made)}}})[0]",
    ):
        say(f"    {line}")
    end(run.exit_code(document))


def _feeds(made: "onnx.ModelProto") -> str:
    return ", ".join(f'"{each.name}": x{at or ""}' for at, each in enumerate(made.graph.input))


def written(case: Case, calibration: Path | None = None) -> "onnx.ModelProto":
    """The ONNX model of a case. Raises CannotRun."""
    try:
        from parity.port.onnx.models import of_keras, of_tagger
    except ImportError as error:
        raise CannotRun(
            f"this environment has no {error.name}, which writes ONNX files; use "
            ".tox/onnx/bin/python, which `make rescue` builds, or install requirements/onnx.txt"
        ) from error
    keras = case.model.stack.removeprefix("keras")
    release = ".".join(keras)
    said = {"written_by": f"parity {parity.__version__}"}
    if case.model.asked_by:
        if calibration:
            raise CannotRun("--calibration is for CNN0; leave it out for other models")
        return of_keras(case.model.defined.architecture, case.weights.path, release, said)
    given = release if case.keras_from == "asked" else None
    path = case.weights.path

    def prepare(network: Any) -> dict[str, Any]:
        from tagger.calibration import apply
        from tagger.model import remarks_on
        from tagger.weight_files import is_meaningless

        frozen = {"calibration": apply(calibration, network)} if calibration else {}
        return {
            "remarks": remarks_on(network, path, None),
            "meaningless": is_meaningless(network, path),
            **frozen,
        }

    return of_tagger(case.model.name, path, given, said, prepare)


def proved(made: "onnx.ModelProto", verdict: str, by: str) -> bytes:
    """The file of a model that was proved: it says so as long as nobody changes it."""
    say_of(made, proof=verdict, proved_by=by, proof_of=UNSEALED)
    return sealed(made.SerializeToString(deterministic=True))


def say_of(made: "onnx.ModelProto", **said: str) -> None:
    """Let the model say this too."""
    from onnx import helper

    held = {each.key: each.value for each in made.metadata_props}
    helper.set_model_props(made, {**held, **said})


def _case(
    model: str,
    weights: Path | None,
    keras: str | None,
    custom: str | None,
    inputs: tuple[str, ...] = (),
    folder: Path | None = None,
) -> Case:
    """The case of what a command was given; folder: where inputs go that are drawn."""
    if model in models.MODELS:
        return models.case_for(model, weights, inputs, keras)
    from parity import originals, project

    if not Path(model.rpartition(".py:")[0] or model).exists() and not Path(model).suffix:
        nearest("model", model, models.MODELS)
    case = originals.case_of(model, weights, None, keras=keras, custom=custom)
    if not folder:
        return case
    given = inputs or project.drawn_into(folder, case.model.defined.architecture, case.model.name)
    return originals.case_of(model, weights, given, keras=keras, custom=custom)
