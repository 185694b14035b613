"""A defect of a pipeline file: its name, its place, what is wrong and how to repair it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """One defect. `name` is one of those that `docs/pipelines.md` lists."""

    name: str
    file: Path
    line: int | None
    problem: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.file}" if self.line is None else f"{self.file}: line {self.line}"
        return f"{place}: {self.name}: {self.problem}; {self.cure}"

    def as_json(self) -> dict[str, object]:
        """The fields for a machine."""
        return {**asdict(self), "file": str(self.file)}
