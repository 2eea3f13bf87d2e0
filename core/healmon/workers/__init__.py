"""The healer of workers: find, restart, verify, give up in time."""
