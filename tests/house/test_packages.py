"""The installed package holds every room that a clone has."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSIDE = ("fixtures", "port", "reference", "reports", "studies")  # of parity, where it is installed


def test_every_folder_of_modules_is_installed():
    with open(ROOT / "pyproject.toml", "rb") as stream:
        listed = tomllib.load(stream)["tool"]["setuptools"]["packages"]
    found = set()
    for top in ("parity", "tagger", *INSIDE):
        for path in (ROOT / top).rglob("*.py"):
            dotted = ".".join(path.parent.relative_to(ROOT).parts)
            found.add(f"parity.{dotted}" if top in INSIDE else dotted)
    assert sorted(listed) == sorted({*found, "parity.requirements"})  # locks, and no modules
