"""Run `python -m sdsiqa`."""

import sys
from pathlib import Path

from sdsiqa.cli import main

if not sys.flags.safe_path and sys.path[:1] == [str(Path.cwd())]:
    sys.path.append(sys.path.pop(0))  # what is installed goes first, as with the command
sys.exit(main())
