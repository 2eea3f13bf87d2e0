"""healmon: a self-healing health monitor for one host.

The package is the library: it looks, decides, heals and proves. Screens live elsewhere
(`healmon_tui`) and are never imported from here.
"""

__version__ = "0.1.0"
