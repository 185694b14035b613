"""The events that a sink could not deliver, in files that nothing reads until an operator asks for it.

A file holds one batch as JSON lines that `score` reads. Its first line also says in `dead_letter` which
sink it is of, when and why it was parked. A file appears whole and synced or not at all. The files of one
sink are bounded in bytes; what happens at the bound is decided in `delivery`.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import instants
from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.batch import ColumnBatch, batch_from_bytes, bytes_from_batch

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch

#: How much of the reason is kept.
_REASON_CHARACTERS_MAX = 4096


class DeadLettersFull(HoldMetricsError):  # noqa: N818 - a state of the folder, named as such
    """The dead letters of a sink have reached their bound; nothing was written."""

    def __init__(self, folder: Path, held: int, bytes_max: int) -> None:
        """`held` is how many bytes the folder holds."""
        super().__init__(
            f"{folder}: holds {held} of at most {bytes_max} bytes of dead letters; "
            "replay them, or move files away"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One parked batch."""

    path: Path
    pipeline: str
    sink: str
    reason: str
    parked_at: str
    first_sequence: int
    last_sequence: int
    events: int


class DeadLetters:
    """The files of one sink, in `FOLDER/PIPELINE/SINK`."""

    def __init__(self, folder: Path, pipeline: str, sink: str, *, bytes_max: int = 256 << 20) -> None:
        """Makes no folder before there is something to park."""
        self._folder = folder / pipeline / sink
        self._pipeline = pipeline
        self._sink = sink
        self._bytes_max = bytes_max

    def paths(self) -> list[Path]:
        """The files, in the order of the feed."""
        return sorted(self._folder.glob("*.jsonl"))

    def park(self, batch: Batch, reason: str, now_us: int) -> Path:
        """Write the batch to a file; when this returns, it survives a power failure.

        A batch that is parked again after a crash replaces its own file. Raises `DeadLettersFull` or
        `OSError`.
        """
        events = bytes_from_batch(batch)
        # Batches of facts all have one sequence, so the range alone does not tell them apart.
        digest = hashlib.sha256(events).hexdigest()[:12]
        path = self._folder / f"{batch.first_sequence:020}-{batch.last_sequence:020}-{digest}.jsonl"
        head, _, rest = events.partition(b"\n")
        about = {
            "pipeline": self._pipeline,
            "sink": self._sink,
            "reason": reason[-_REASON_CHARACTERS_MAX:],
            "parked_at": instants.text_from_us(now_us),
            "events": len(batch),
        }
        first = json.dumps(json.loads(head) | {"dead_letter": about}, ensure_ascii=False)
        data = first.encode(errors="backslashreplace") + b"\n" + rest
        held = sum(each.stat().st_size for each in self.paths() if each != path)
        if held + len(data) > self._bytes_max:
            raise DeadLettersFull(self._folder, held, self._bytes_max)
        self._write(path, data)
        return path

    def about(self, path: Path) -> DeadLetter:
        """What a file says about itself."""
        with path.open("rb") as file:
            first: dict[str, Any] = json.loads(file.readline())
        return DeadLetter(
            path=path,
            first_sequence=first["first_sequence"],
            last_sequence=first["last_sequence"],
            **first["dead_letter"],
        )

    def read(self, path: Path) -> ColumnBatch:
        """The batch of a file; raises `Refused` or `ValueError` if somebody has damaged it."""
        return batch_from_bytes(path.read_bytes())

    def remove(self, path: Path) -> None:
        """Delete the file of a batch that was delivered."""
        path.unlink(missing_ok=True)
        _sync(self._folder)

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        for folder in (self._folder, self._folder.parent, self._folder.parent.parent):
            _sync(folder)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable; Windows syncs them by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
