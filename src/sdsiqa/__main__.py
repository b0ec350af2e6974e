"""Run `python -m sdsiqa`."""

import sys

from sdsiqa.cli import main

sys.exit(main())
