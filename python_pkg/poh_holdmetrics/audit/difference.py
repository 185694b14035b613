"""What an audit ends with if something is not as it should be. Decides nothing."""

from __future__ import annotations


class Difference(Exception):  # noqa: N818 - a finding, not a failure of the audit
    """The first difference. `kind` is proof, value, missing, extra or leaderboard."""

    def __init__(self, kind: str, detail: str) -> None:
        """`detail` names what differs, in one sentence."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
