"""What every command line of the project does alike: how it prints, and how it ends.

Exit codes 0, 1 and 3 come from `end` alone, which commands call when they have a verdict. Whatever
else arrives at the top is 2: one sentence, and where nobody foresaw it a file with the traceback.
"""

import errno
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

import parity
from parity import files, room, settings
from parity.errors import CannotRun, visible

__all__ = [
    "FORCE", "JSON", "Command", "Commands", "Group", "Name", "end", "on_terminal", "result", "say",
    "wants_json", "wrote",
]  # fmt: skip

CANNOT = 2
LAST_STREAM = 2  # standard error
NO_THREAD = "can't start new thread"  # Python's words where there is no room for its stack
APART = {"chainer": "Python 3.11, which has Chainer (pip install chainer==7.8.1)"}
ROOMS = ("port", "fixtures", "reports", "studies")
PACKAGES = (Path(__file__).parent, Path(__file__).parents[1] / "tagger", *map(room, ROOMS))


def say(text: object, *, err: bool = False, lines: bool = False) -> None:
    """Print a line, with control characters and what the stream cannot encode written out.

    lines : the text is several lines, each with its end. Raises CannotRun where standard output
    cannot be written.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None and not err:
        raise _closed(OSError(errno.EBADF, "it is closed"))
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    line = visible(text, keep="\n\t" if lines else "\t")
    try:
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
        stream.write("" if lines else "\n")
        stream.flush()
    except OSError as error:
        if not err:
            raise _closed(error) from error


def on_terminal() -> bool:
    """Whether there is a stderr that people look at."""
    return sys.stderr is not None and sys.stderr.isatty()


def end(code: int) -> NoReturn:
    """End the command with the exit code of its verdict."""
    click.get_current_context().exit(code)


def _force(context: click.Context, _: click.Parameter, value: bool) -> None:
    token = files.FORCED.set(value)
    context.call_on_close(lambda: files.FORCED.reset(token))


FORCE = click.option(
    "--force",
    is_flag=True,
    expose_value=False,
    callback=_force,
    help="Also replace files that this program did not write.",
)


class Name(click.Path):
    """A path on the command line: it has a name."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not os.fspath(value):
            self.fail("an empty name is none; give one", param, ctx)
        return super().convert(value, param, ctx)


def _set(name: str, context: click.Context, value: Any) -> None:
    if value:  # in the environment, where other processes find it
        context.with_resource(settings.variables({name: "1" if value is True else str(value)}))


def _version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        say(f"{context.find_root().command.name}, version {parity.__version__}")
        context.exit()


def _shared(*names: str, variable: str, help: str, **more: Any) -> click.Option:
    return click.Option(
        names,
        expose_value=False,
        help=f"{help}  [env: {variable}]",
        callback=lambda context, _, value: _set(variable, context, value),
        **more,
    )


# fmt: off
VERSION = click.Option(
    ("--version",), is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version and exit.",
)
SHARED = (  # of every command
    _shared("--data", variable="PARITY_DATA", metavar="FOLDER",
            help="Where weights and clips are looked for first."),
    _shared("--cache", variable="PARITY_CACHE", metavar="FOLDER",
            help="Where recorded traces are kept."),
    _shared("-q", "--quiet", variable="PARITY_QUIET", is_flag=True, help="Show no progress."),
    _shared("--no-color", variable="NO_COLOR", is_flag=True, help="Print without colours."),
    VERSION,
)
# fmt: on


def _as_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta["json"] = value


JSON = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_as_json,
    help="Print the result as JSON instead of text.",
)


def wants_json() -> bool:
    """Whether the command is to print its document, and nothing else, on standard output."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get("json"))


def result(text: str, document: str) -> None:
    """Print what a command found: its text, several lines, or with --json its document."""
    say(document if wants_json() else text, lines=True)


def wrote(*paths: Path) -> None:
    """Say where a command's outputs are, those of one folder together."""
    if settings.setting("PARITY_QUIET"):
        return
    folders: dict[Path, list[str]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path.name)
    for folder, names in folders.items():
        say(f"written to {folder}: {', '.join(names)}", err=True)


class _WithExample(click.Command):
    """Help ends with an example, as it is typed.

    Parameters
    ----------
    example : str
        Lines are kept.
    """

    def __init__(self, *args: Any, example: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.example = example

    def get_help_option_names(self, context: click.Context) -> list[str]:
        """Whatever the context inherited: click keeps the option of the first that it sees."""
        return ["-h", "--help"]

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        if self.example:
            with formatter.section("Example"):
                formatter.write("".join(f"  {line}\n" for line in self.example.splitlines()))


class Command(_WithExample):
    """A command with the options that all have, and an example in its help."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params += SHARED


class Commands(_WithExample, click.Group):
    """Commands below another one, which may be one itself."""

    command_class = Command

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params += SHARED if self.invoke_without_command else ()

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its first sentence, whole."""
        rows = sorted((name, each.get_short_help_str(999)) for name, each in self.commands.items())
        with formatter.section("Commands"):
            formatter.write_dl(rows)


Commands.group_class = Commands


class Group(Commands):
    """The commands of one program.

    Parameters
    ----------
    stopped : str
        What Ctrl-C, SIGTERM and a closed terminal are told.
    sentences : tuple of type
        Exceptions whose message is the sentence, where our own code raised them.
    """

    def __init__(
        self,
        *args: Any,
        stopped: str = "stopped",
        sentences: tuple[type[BaseException], ...] = (),
        **more: Any,
    ) -> None:
        super().__init__(*args, context_settings={"max_content_width": 120}, **more)
        self.stopped, self.sentences = stopped, sentences
        self.params.append(VERSION)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(context, formatter)
        with formatter.section("Environment variables"):
            formatter.write_dl([(name, each.means) for name, each in settings.VARIABLES.items()])

    def invoke(self, context: click.Context) -> Any:
        try:
            with _signals_stop():
                settings.check()  # not when the work is done
                return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BaseException as error:
            raise _Refusal(self._sentence(error)) from error

    def main(self, *args: Any, standalone_mode: bool = True, **more: Any) -> Any:
        """Run a command; exits with its code, or returns it where not `standalone_mode`."""
        while (spare := os.open(os.devnull, os.O_RDWR)) <= LAST_STREAM:
            os.set_inheritable(spare, True)  # else a file gets the number of a closed stream
        os.close(spare)
        try:
            code = super().main(*args, standalone_mode=False, **more)  # type: ignore[call-overload]
            _flush()
        except BaseException as error:
            code = CANNOT
            self._show(error)
        code = code if isinstance(code, int) else 0
        if standalone_mode:
            sys.exit(code)
        return code

    def _main_shell_completion(self, *args: Any, **more: Any) -> None:
        try:
            super()._main_shell_completion(*args, **more)
        except SystemExit as done:
            raise click.exceptions.Exit(int(done.code or 0)) from done

    def _show(self, error: BaseException) -> None:
        stream = io.StringIO()
        if not isinstance(error, click.ClickException):
            error = _Refusal(self._sentence(error))
        error.show(stream)
        text = stream.getvalue()
        named = f"{self.name}: {text}" if isinstance(error, _Refusal) else text
        say(named, err=True, lines=True)
        with suppress(OSError, ValueError, AttributeError):
            _flush()
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)  # Python's own flush at the end would fail again
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, sys.stdout.fileno())

    def _sentence(self, error: BaseException) -> str:
        if isinstance(error, CannotRun):
            return str(error)
        if isinstance(error, (KeyboardInterrupt, click.Abort)):
            return self.stopped
        if isinstance(error, self.sentences) and _is_ours(error):
            return visible(error)
        if isinstance(error, MemoryError) or NO_THREAD in str(error):
            return "there is not enough memory; close other programs, or give it less at a time"
        if isinstance(error, ModuleNotFoundError) and error.name in APART:
            return (
                f"this command needs {error.name} beside it, and this Python has none; run it with "
                f"{APART[error.name]}"
            )
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return f"stopped by an error in the program itself ({what:.200}); {_kept(error)}"


class _Refusal(click.ClickException):
    exit_code = CANNOT

    def show(self, file: Any = None) -> None:
        print(self.message, file=file)


def _is_ours(error: BaseException) -> bool:
    """Whether this project's own code raised it."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return any(Path(frame.f_code.co_filename).is_relative_to(folder) for folder in PACKAGES)


def _kept(error: BaseException) -> str:
    """Write the traceback to a file; returns what to do with it."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="parity-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(traceback.format_exception(error))
    except OSError:
        return "no file could be written for its traceback, so free space and try again"
    return f"report it with {path}, which holds the traceback"


def _flush() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise _closed(error) from error


def _closed(error: OSError) -> CannotRun:
    return CannotRun(
        f"standard output cannot be written ({error.strerror}); give it a place with room that "
        "stays open"
    )


@contextmanager
def _signals_stop() -> Iterator[None]:
    """SIGTERM and SIGHUP stop as Ctrl-C does, so that what has to be put away is put away."""

    def stop(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    before = {}
    with suppress(ValueError):  # not in the main thread, which alone may set handlers
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
