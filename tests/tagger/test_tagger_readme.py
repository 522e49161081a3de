"""docs/tagger.md: each `$ python -m tagger ..` in it is run, and prints what stands there."""

import math
import re
import shlex
from pathlib import Path

import pytest

from tagger.__main__ import commands, main
from tagger.comparing import read_table

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "tagger.md"
TABLE = ROOT / "fixtures" / "published.json"
MP3_DRIFT_POINTS = 0.001  # tests/tagger/test_published_tables.py asserts it
FIGURE = re.compile(r"\d+\.\d+")
COMMAND = "$ python -m tagger "


def shown_commands(text):
    """[(arguments, printed lines)] of the code blocks."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for part in block.split(COMMAND)[1:]:
            command, _, printed = part.partition("\n")
            found.append((shlex.split(command), printed))
    return found


def test_commands_and_what_they_print_are_found_in_a_document():
    text = f"x\n```console\n{COMMAND}tag 'a b.wav'\nline\n{COMMAND}inspect x\n```\n```\n{COMMAND}tag c\n```"
    assert shown_commands(text) == [(["tag", "a b.wav"], "line\n"), (["inspect", "x"], "")]


@pytest.mark.slow
def test_the_document_shows_what_the_commands_print(real_data, monkeypatch, capfd):
    found = shown_commands(DOCUMENT.read_text())
    assert {arguments[0] for arguments, _ in found} >= {"tag", "compare"}
    monkeypatch.chdir(ROOT)
    for arguments, printed in found:
        code = main([argument.replace("$PARITY_DATA", str(real_data)) for argument in arguments])
        out = capfd.readouterr().out.replace(str(real_data), "$PARITY_DATA")
        assert code == ("not all within" in printed), arguments
        assert _figures_apart(out) == _figures_apart(printed), arguments
        for figure, shown in zip(FIGURE.findall(out), FIGURE.findall(printed), strict=True):
            unit = 10.0 ** -len(shown.partition(".")[2])
            assert abs(float(figure) - float(shown)) < 1.5 * unit, (
                arguments,
                shown,
            )  # on another machine the last digit may round


def test_figures_in_the_text_are_those_of_the_commands_and_tests():
    section = DOCUMENT.read_text()
    (today,) = (
        printed
        for arguments, printed in shown_commands(DOCUMENT.read_text())
        if arguments[1:3] == ["--front-end", "today"]
    )
    largest = max(map(float, re.findall(r"difference (\S+) points", today)))
    assert f"up to {math.ceil(100 * largest) / 100} points" in section
    assert today.count("ANOTHER ORDER") == 1 and "actionable" in next(
        line for line in today.splitlines() if "ANOTHER" in line
    )
    assert f"differ by less than {MP3_DRIFT_POINTS} points" in section
    assert (
        "60 figures" in section
        and sum(len(row) for rows in read_table(TABLE)["models"].values() for row in rows) == 60
    )


def test_options_and_commands_in_the_text_are_there(capfd):
    section = DOCUMENT.read_text()
    main(["tag", "--help"])
    options, known = capfd.readouterr().out, set(commands.commands)
    assert (
        set(re.findall(r"`(?:python -m tagger )?(\w+) [A-Z]", section))
        | set(re.findall(r"python -m tagger (\w+)", section))
        <= known
    )
    named = set(re.findall(r"`(--[a-z-]+)", section)) - {"--front-end"}
    assert named and all(option in options for option in named)


def _figures_apart(text):
    return re.sub(
        r"\d+\.\d+|\([^)]*\)", "#", text
    )  # which figure is the worst, in brackets, may be a tie
