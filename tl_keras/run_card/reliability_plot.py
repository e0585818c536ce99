"""Bins of probabilities -> the reliability diagram.

    light, dark = in_both_themes(reliability_figure, bins)

In: bins, as the card has them. Out: a figure.
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from tl_keras.run_card.plot_style import LIGHT, Theme, dress


def reliability_figure(bins: Sequence[Mapping], theme: Theme = LIGHT) -> Figure:
    """How often it is right, against how sure it is; the counts beneath.

    Args:
        bins: rows with low, high, count, confidence and accuracy; those
            without examples have None.
        theme: colours.
    """
    figure = Figure(figsize=(5.2, 5.4), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    # Over the bars: it is what they are held against.
    axes[0].plot([0, 1], [0, 1], color=theme.ink, linestyle="--", zorder=2,
                 linewidth=1, label="perfect calibration")  # fmt: skip
    filled = [b for b in bins if b["count"]]
    width = bins[0]["high"] - bins[0]["low"]
    middles = [(b["low"] + b["high"]) / 2 for b in filled]
    axes[0].bar(middles, [b["accuracy"] for b in filled], 0.94 * width,
                color=theme.train, alpha=0.85, zorder=1,
                label="accuracy")  # fmt: skip
    axes[0].scatter(
        [b["confidence"] for b in filled], [b["accuracy"] for b in filled],
        color=theme.val, s=18, zorder=3, label="mean probability",
    )  # fmt: skip
    axes[0].set_ylabel("accuracy")
    axes[0].set_ylim(0, 1.02)
    # Above, as a bar may stand anywhere below.
    axes[0].legend(frameon=False, labelcolor=theme.ink, fontsize=9, ncols=3,
                   loc="lower left", bbox_to_anchor=(0, 1), borderpad=0,
                   columnspacing=1.2, handletextpad=0.5)  # fmt: skip
    axes[1].bar(middles, [b["count"] for b in filled], 0.94 * width,
                color=theme.quiet)  # fmt: skip
    axes[1].set_ylabel("examples")
    axes[1].set_xlabel("probability of the predicted class")
    axes[1].set_xlim(0, 1)
    for axis in axes:
        dress(axis, theme)
    return figure
