"""The page of a run inside a notebook.

    PageView("saved_models/flowers/run/report.html")

In: the path of a page. Out: an object that a notebook shows as that page, in a
frame of its own, so that neither changes the other's looks; the page holds no
script, and the frame allows none.
"""

import html
import os
import pathlib


class PageView:
    """What `RunResult.show` gives; see there."""

    def __init__(self, path: str | os.PathLike, height: int = 800):
        self.path = pathlib.Path(path)
        self.height = height

    def __repr__(self) -> str:
        return f"PageView({str(self.path)!r})"

    def _repr_html_(self) -> str:
        page = html.escape(self.path.read_text(encoding="utf-8"))
        return (
            f'<iframe srcdoc="{page}" sandbox width="100%" '
            f'height="{int(self.height)}" style="border: 0"></iframe>'
        )
