"""The machine that the figures were measured on: processor, cores, memory, system, date."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts that a reader needs to judge a figure."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str
    date: str

    @classmethod
    def here(cls) -> Machine:
        """The facts of this machine, and the time in UTC."""
        return cls(
            processor=_processor(),
            cores=os.cpu_count() or 1,
            memory_bytes=os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES"),
            kernel=f"{platform.system()} {platform.release()}",
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )

    def as_dict(self) -> dict[str, object]:
        """For the file of raw samples."""
        return asdict(self)

    def sentence(self) -> str:
        """For the head of the table."""
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_bytes / 2**30:.0f} GiB of memory, "
            f"{self.kernel}, {self.date}"
        )


def load_average() -> float:
    """Runnable processes during the last minute; above the number of cores, figures cannot be trusted."""
    return os.getloadavg()[0]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
