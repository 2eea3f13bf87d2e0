"""Twins of the doors that live in memory; one contract suite holds them to the real ones."""
