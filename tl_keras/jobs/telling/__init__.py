"""What a command tells a person, or a program, of what it did.

In: what was prepared, or the metrics. Out: lines, and what `--json` prints.
Whether and where they are shown is `tl_keras.console`'s.
"""
