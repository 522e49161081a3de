"""What code says, whatever its words: digests that comments and layout do not change."""

import ast
import hashlib
from functools import cache
from pathlib import Path

__all__ = ["code_of", "definition"]


def definition(source: str) -> str:
    """sha256, hex, of a Python source as the parser sees it, docstrings left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def code_of(path: Path) -> str:
    """sha256, hex, of a module's code: of its file alone, or where it stands in a package, of all
    modules in its folder and below.
    """
    whole = (path.parent / "__init__.py").exists()
    files = sorted(path.parent.rglob("*.py")) if whole else [path]
    said = (f"{each.relative_to(path.parent)} {_said_by(each)}" for each in files)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _said_by(path: Path) -> str:
    try:
        return definition(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):  # none that Python could import
        return "unreadable"
