"""Where and how arithmetic is done: `devices`, `precision`, `jit`, `memory`."""
