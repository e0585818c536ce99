"""A figure -> a file for a folder, or pictures for a page.

    light, dark = in_both_themes(reliability_figure, bins)
    save_png(figure, "curves.png")

In: figures, or what draws them. Out: PNG files, or SVG as `data:` addresses,
drawn for a light and for a dark page.
"""

import base64
import contextlib
import dataclasses
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from tl_keras import atomic
from tl_keras.run_card.plot_style import DARK, LIGHT


def in_both_themes(draw: Callable[..., Figure], *values) -> tuple[str, str]:
    """A plot as two data: addresses (SVG), for a light and a dark page.

    Args:
        draw: called as `draw(*values, theme=...)`, gives a Figure.
        *values: what it draws.

    Returns:
        (light, dark).
    """
    light = _svg(draw(*values, theme=LIGHT))
    if "<image" in light:  # Its shades are pixels, not names of colours.
        dark = _svg(draw(*values, theme=DARK))
    else:
        dark = _recolored(light)
    return _address(light), _address(dark)


def _recolored(svg: str) -> str:
    """A light plot in the dark colours: drawing it again takes far longer."""
    dark = dataclasses.asdict(DARK)
    colors = {c: dark[name] for name, c in dataclasses.asdict(LIGHT).items()}
    return re.sub("|".join(colors), lambda found: colors[found[0]], svg)


def _address(svg: str) -> str:
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    FigureCanvasSVG(figure)
    # Letters as outlines, the same everywhere; no date, so that the same
    # numbers give the same file.
    settings = {"svg.fonttype": "path", "svg.hashsalt": "tl_keras"}
    with matplotlib.rc_context(settings), _no_talk_of_glyphs():
        figure.savefig(
            buffer,
            format="svg",
            bbox_inches="tight",
            pad_inches=0.05,
            transparent=True,
            metadata={"Date": None, "Creator": None},
        )
    return buffer.getvalue().decode("utf-8")


def save_png(figure: Figure, path: str | os.PathLike) -> None:
    """Writes a figure.

    Args:
        figure: drawn; it belongs to no canvas yet.
        path: the .png, replaced whole.
    """
    # A canvas of its own: no display, and no figure kept alive by pyplot.
    FigureCanvasAgg(figure)
    with atomic.replacing(path) as temporary, _no_talk_of_glyphs():
        figure.savefig(
            temporary,
            dpi=120,
            format="png",
            bbox_inches="tight",
            pad_inches=0.1,
        )


@contextlib.contextmanager
def _no_talk_of_glyphs() -> Iterator[None]:
    """Silence about letters that the plots' font has not: a box is drawn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
