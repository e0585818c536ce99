"""Ours against peers, in turn in one process tree: `python -m benchmarks.NAME`.

Every benchmark prints times, the ratio (min / median / max over rounds) and,
where a network is trained, the accuracy of both sides beside it, so that speed
bought with accuracy shows. The table as measured is in README.md here.
"""
