"""The folder of a run: its `outputs`, its `run_lock`, its `run_flags`."""
