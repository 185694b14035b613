"""Drawings of scores with matplotlib (extra `plot`): a leaderboard as bars, a holder's weights over time.

Drawn in floats, for the eye; exact figures are in the tables of `export`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.libraries import library

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldStat
    from poh_holdmetrics.frames.explained_segment import ExplainedSegment


def leaderboard_plot(stats: Sequence[HoldStat], title: str, ax: Any) -> Any:
    """Bars of the scores, the first holder on top."""
    ax = _axes(ax)
    places = range(len(stats))
    ax.barh(places, [stat.weighted_score for stat in stats])
    ax.set_yticks(places, [f"{stat.rank}. {stat.holder_id}".replace("$", r"\$") for stat in stats])
    ax.invert_yaxis()
    ax.set_xlabel("score (weight-seconds)")
    ax.set_title(title)
    return ax


def timeline_plot(segments: Sequence[ExplainedSegment], title: str, ax: Any) -> Any:
    """A step for each segment, one colour for each token."""
    ax = _axes(ax)
    for token_id in sorted({segment.token_id for segment in segments}):
        own = [segment for segment in segments if segment.token_id == token_id]
        times, weights = [], []
        for segment in own:
            times += [segment.start, segment.start, segment.end, segment.end]
            weights += [0.0, float(segment.weight), float(segment.weight), 0.0]
        (line,) = ax.plot(times, weights, label=token_id.replace("$", r"\$"))
        ax.fill_between(times, weights, alpha=0.2, color=line.get_color())
    if segments:
        ax.legend(title="token_id")
    ax.set_ylabel("effective weight")
    ax.set_title(title.replace("$", r"\$"))
    return ax


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    return library("matplotlib.pyplot", "plot()", "plot").subplots()[1]
