"""The losses of a run, as they are saved, drawn and summed up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from lazygrad.io.json_table import JsonTable


@dataclass
class History:
    """What was measured, by step.

    `losses`: (step, loss of that step's batch). `evaluations`: (step, training loss, validation loss), each over
    many batches.
    """

    losses: list[tuple[int, float]] = field(default_factory=list)
    evaluations: list[tuple[int, float, float]] = field(default_factory=list)

    def add_evaluation(self, step: int, train: float, validation: float) -> None:
        """Note an evaluation, in place of an earlier one of the same step."""
        self.evaluations = [kept for kept in self.evaluations if kept[0] != step] + [(step, train, validation)]

    def to_json(self) -> dict[str, Any]:
        """A table of lists, which `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: JsonTable) -> History:
        """What `to_json` gave, after a trip through a file; FileFormatError where it is something else."""
        evaluations = table.rows("evaluations", "int", "float", "float")
        return cls([(s, x) for s, x in table.rows("losses", "int", "float")], [(s, a, b) for s, a, b in evaluations])

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Name -> (step, loss) points, to draw.

        >>> History([(10, 3.0)], [(10, 2.9, 2.8)]).curves()["validation"]
        [(10, 2.8)]
        """
        return {
            "each batch": self.losses,
            "training": [(step, train) for step, train, _ in self.evaluations],
            "validation": [(step, validation) for step, _, validation in self.evaluations],
        }
