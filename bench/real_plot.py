"""The picture of the real pair: right answers against the share of large tokens, money and time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib import pyplot

from bench.curves import Point

_LABELS = {
    "share": "share of tokens written by the large model",
    "cost": "cost (0: small alone, 1: large alone)",
    "seconds": "time (0: small alone, 1: large alone)",
}
_OURS = "ghost"
_SWEPT = ("cascade", "query")


def draw(points: Mapping[str, Mapping[str, Sequence[Point]]], small: float, large: float, target: Path) -> None:
    """Draw TARGET.svg and TARGET.png. `points` has the points of each policy on each axis."""
    matplotlib.use("agg")
    figure, panels = pyplot.subplots(1, len(points), figsize=(4.6 * len(points), 4.2), sharey=True)
    for axes, (axis, policies) in zip(panels, points.items(), strict=True):
        for policy, found in sorted(policies.items(), key=lambda item: item[0] == _OURS):
            ours = policy == _OURS
            x, y = zip(*sorted(found), strict=True)
            marker = "" if policy.startswith(_SWEPT) else "o"
            axes.plot(x, y, label=policy, marker=marker, lw=2.5 if ours else 1.2, ms=4, zorder=3 if ours else 2)
        axes.scatter([0, 1], [small, large], color="black", zorder=4)
        axes.set(xlabel=_LABELS[axis])
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="right answers")
    panels[0].legend(frameon=False, fontsize="small")
    figure.tight_layout()
    for ending in ("svg", "png"):
        figure.savefig(target.with_suffix(f".{ending}"), dpi=130, metadata={"Date": None} if ending == "svg" else None)
    pyplot.close(figure)
