"""Starts `world.taskchild` in a process of its own: `python -I -S tasks.py`.

Python keeps no bytecode of a script, and would compile the whole program at each look.
"""

from __future__ import annotations

import os
import sys

# last, so that nothing that lies there is taken for a part of the standard library
sys.path.append(os.path.abspath(__file__ + "/../../../.."))  # noqa: PTH100 - light on purpose

from healmon.world.taskchild import main

if __name__ == "__main__":
    main()
