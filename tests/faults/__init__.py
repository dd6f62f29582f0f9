"""`make faults`: what goes wrong around a run, made to go wrong on purpose (docs/robustness.md).

Commands are killed at any moment, run into full, read-only and slow disks, into each other, into
clocks that go back and inputs that go away. What they leave behind is judged byte by byte.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # no threads where processes are forked

TESTS = Path(__file__).parent.parent
for _folder in ("", "train", "extract", "segment", "explain"):  # their writers of small inputs
    if str(TESTS / _folder) not in sys.path:
        sys.path.append(str(TESTS / _folder))
