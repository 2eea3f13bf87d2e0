"""What shows that a worker is ready, or still works: one small module for each sort of check."""
