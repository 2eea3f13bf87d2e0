"""The healer of tmux sessions that work on tasks."""
