"""These tests start several processes each; `make test-distributed` runs them, `make test` does not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
