"""Decides where a generation of a file runs: in this process, or in one of its own if its pipelines say so.

A store runs in this process. Where a file runs is read from its text: one whose pipelines are isolated is
never executed in this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.pipeline.loading.declarations import declarations
from poh_holdmetrics.pipeline.loading.loader import LoadError
from poh_holdmetrics.pipeline.loading.sources import read_text
from poh_holdmetrics.pipeline.serving.in_process import stage_in_process
from poh_holdmetrics.pipeline.serving.stores import StoreRunner, StoreSpec
from poh_holdmetrics.pipeline.worker.runner import stage_worker

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.loading.specs import Spec
    from poh_holdmetrics.pipeline.serving.in_process import Surroundings
    from poh_holdmetrics.pipeline.serving.served_file import Runner, Stage
    from poh_holdmetrics.pipeline.worker.process import WorkerSettings


def stage_for(surroundings: Surroundings, workers: WorkerSettings | None = None) -> Stage:
    """What loads and checks a generation of any file or store of a service."""

    async def stage(spec: Spec | StoreSpec, generation: int) -> Runner:
        if isinstance(spec, StoreSpec):
            return StoreRunner(spec, generation, surroundings)
        if not is_isolated(spec):
            return await stage_in_process(spec, generation, surroundings)
        return await stage_worker(
            spec,
            generation,
            host=surroundings.host,
            clock=surroundings.clock,
            arguments=surroundings.arguments,
            settings=workers,
        )

    return stage


def is_isolated(spec: Spec) -> bool:
    """Whether the file of `spec` runs in a process of its own. Raises `LoadError` if that is not clear."""
    try:
        found = declarations(read_text(spec.file))
    except (OSError, SyntaxError):
        return False  # loading it says what is wrong, and executes nothing
    for each in found:
        if each.isolation is None:
            problem = 'the isolation is not a text; write isolation="process" or isolation="none"'
            raise LoadError(spec.file, each.line, problem, name="isolation-not-literal")
        if each.isolation != found[0].isolation:
            problem = (
                "some pipelines of this file are isolated and others are not; move them into other files"
            )
            raise LoadError(spec.file, each.line, problem, name="mixed-isolation")
    return bool(found) and found[0].isolation == "process"
