"""Other runtimes than TensorFlow: how their files are made, and asked.

`convert.py` and `ask_file.py` run in processes of their own, started by
`converting` and `asking`. The table of formats names these; the gate compares.
"""
