"""Every command of every program has the options that all share, and an example that it takes."""

import re
import shlex

import click
import pytest

from parity.cli import main as parity
from parity.fixtures.__main__ import commands as fixtures
from parity.program import SHARED, Command
from tagger.__main__ import commands as tagger

PROGRAMS = {"parity": parity, "tagger": tagger, "fixtures": fixtures}
SHORT = {"--model": "-m", "--layer": "-l", "--out": "-o", "--quiet": "-q"}


def commands_of(command, names):
    """(its words, command) of every command that does something."""
    if isinstance(command, Command) or getattr(command, "invoke_without_command", False):
        yield names, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands_of(each, (*names, name))


FOUND = [pair for name, program in PROGRAMS.items() for pair in commands_of(program, (name,))]
every_command = pytest.mark.parametrize(
    ("names", "command"), FOUND, ids=lambda each: str(each)[:40]
)


def help_of(names, command):
    context = None
    for name in names:
        context = click.Context(command, info_name=name, parent=context, **command.context_settings)
    return command.get_help(context)


@every_command
def test_a_command_has_what_all_have(names, command):
    assert set(SHARED) <= set(command.params)
    for option in command.params:
        for name, short in SHORT.items():
            assert name not in option.opts or short in option.opts, (names, name)
        assert "--output" not in option.opts


@every_command
def test_help_has_its_short_name_whoever_asks_first(names, command):
    option = command.get_help_option(click.Context(command, info_name=names[-1]))
    assert option.opts == ["-h", "--help"]


@every_command
def test_help_is_whole_and_ends_with_an_example(names, command):
    said = help_of(names, command)
    assert "…" not in said and not re.search(r"[a-z]\.\.\.", said)
    assert "Example:" in said and all(len(line) <= 80 for line in said.splitlines())


@every_command
def test_an_example_is_taken(names, command):
    program = PROGRAMS[names[0]]
    for line in command.example.splitlines():
        first, *words = shlex.split(line)
        assert first == names[0]
        context, found = None, program
        while found:
            context = found.make_context(found.name, [*words], parent=context)
            words = [*getattr(context, "_protected_args", ()), *context.args]
            is_group = isinstance(found, click.Group) and words
            _, found, words = (
                found.resolve_command(context, words) if is_group else (0, None, words)
            )


def test_the_list_of_commands_cuts_nothing_and_names_the_variables():
    for name, program in PROGRAMS.items():
        said = help_of((name,), program)
        assert "…" not in said and not re.search(r"[a-z]\.\.\.", said)
        assert "PARITY_CACHE" in said
