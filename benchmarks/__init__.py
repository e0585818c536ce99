"""Measurements against peers and against ourselves: `python -m benchmarks.X`.

They print ratios from several rounds in turn, never a single time, and are no
part of the tests: a busy machine would fail them.
"""
