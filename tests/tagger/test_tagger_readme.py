"""The README's section on the tagger: each `$ python -m port ..` in it is run, and prints what stands there."""

import re
import shlex
from pathlib import Path

import pytest

from port.__main__ import main

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- tagger:begin -->", "<!-- tagger:end -->"
COMMAND = "$ python -m port "


def shown_commands(text):
    """[(arguments, printed lines)] of the code blocks of the section; [] where there is no such section."""
    section = text.partition(BEGIN)[2].partition(END)[0]
    found = []
    for block in re.findall(r"```console\n(.*?)```", section, re.S):
        for part in block.split(COMMAND)[1:]:
            command, _, printed = part.partition("\n")
            found.append((shlex.split(command), printed))
    return found


def test_commands_and_what_they_print_are_found_in_a_section():
    text = f"x\n{BEGIN}\n```console\n{COMMAND}tag 'a b.wav'\nline\n{COMMAND}inspect x\n```\n{END}\n```console\n{COMMAND}tag c\n```"
    assert shown_commands(text) == [(["tag", "a b.wav"], "line\n"), (["inspect", "x"], "")]


def test_the_readme_shows_what_the_commands_print(real_data, monkeypatch, capsys):
    commands = shown_commands(README.read_text()) if README.is_file() else []
    monkeypatch.chdir(README.parent)
    for arguments, printed in commands:
        main([argument.replace("$PARITY_DATA", str(real_data)) for argument in arguments])
        out = capsys.readouterr().out.replace(str(real_data), "$PARITY_DATA")
        assert _figures_apart(out) == _figures_apart(printed), arguments
        assert _figures(out) == pytest.approx(_figures(printed), abs=0.0051), arguments


def _figures_apart(text):
    return re.sub(r"\d+\.\d+|\([^)]*\)", "#", text)  # which figure is the worst, in brackets, may be a tie


def _figures(text):
    return [float(figure) for figure in re.findall(r"\d+\.\d+", text)]
