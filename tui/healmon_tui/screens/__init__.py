"""Whole screens: the overview and the sheets over it."""
