"""What people and machines read of a run, drawn from JSON alone: page, table, JUnit, Markdown."""

from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]  # a JSON object
Figure: TypeAlias = float | str | None  # a number; "inf", "-inf" or "nan"; null where there is none
