"""The healer of file systems and directory budgets."""
