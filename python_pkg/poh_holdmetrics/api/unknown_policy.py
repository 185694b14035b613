"""The answer to a request for scores under a policy: these servers publish none."""

from __future__ import annotations

from poh_holdmetrics.errors import Refused, excerpt


def refuse_policy(name: str, *, is_of_one_holder: bool = False) -> None:
    """Raise `Refused` if a policy is named."""
    if name and is_of_one_holder:
        raise Refused("policy", "lists no single holder; leave out holder_id")
    if name:
        raise Refused(
            "policy",
            f"unknown policy {excerpt(name)}; the Python server publishes none, main_holdmetrics serve does",
        )
