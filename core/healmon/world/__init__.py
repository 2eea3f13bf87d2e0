"""The only doors to the machine: each a small Protocol with its real part beside it."""
