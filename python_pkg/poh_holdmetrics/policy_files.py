"""Policies as operators name them: a JSON document of ready steps, or a function of a pipeline file.

`tiers.json`, `FILE.py`, or `FILE.py:NAME` if the file has several policies. A policy keeps the name and the
version under which its answers are published. Nothing is scored here; see `policies.published`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.loading.loader import load
from poh_holdmetrics.pipeline.loading.specs import Spec, specs_from_text
from poh_holdmetrics.policies.document import policy_from_document
from poh_holdmetrics.policies.policy import Policy
from poh_holdmetrics.policies.published import NamedPolicy, version_of_function

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.definition import Pipeline

_PYTHON = ".py"


def policy_from_spec(text: str) -> NamedPolicy:
    """The policy that a command line names; raises `InputError` or `LoadError` if there is none."""
    path, colon, _ = text.rpartition(":")
    if text.endswith(_PYTHON) or (colon and path.endswith(_PYTHON)):
        (spec,) = specs_from_text(text)
        return _of_pipelines(text, spec)
    file = Path(text)
    try:
        policy = policy_from_document(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(text, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(text, "not UTF-8 text") from error
    except InputError as error:
        raise InputError(text, str(error)) from error
    return NamedPolicy(name=file.stem, version=policy.version, function=policy)


def policies_of(pipeline: Pipeline, digest: str) -> dict[str, NamedPolicy]:
    """The policies of one pipeline by name; `digest` is that of the sources of its file."""
    return {
        handler.name: NamedPolicy(
            name=handler.name,
            version=handler.function.version
            if isinstance(handler.function, Policy)
            else version_of_function(digest, handler.name, pipeline.arguments),
            function=handler.function,
        )
        for handler in pipeline.handlers
        if handler.kind == "policy"
    }


def _of_pipelines(text: str, spec: Spec) -> NamedPolicy:
    loaded = load(Spec(file=spec.file))
    found = [
        policy
        for pipeline in loaded.pipelines
        for policy in policies_of(pipeline, loaded.digest).values()
        if spec.name in (None, policy.name)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(policy.name for policy in found))
        raise InputError(text, f"{len(found)} policies: {names}; write {spec.file.name}:NAME")
    wanted = "no policy" if spec.name is None else f"no policy {spec.name}"
    raise InputError(text, f"{wanted}; declare one with @pipeline.policy")
