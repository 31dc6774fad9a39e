"""Stored values: mpmath, simulated chains and real networks; `made` in the file says how."""

import json
from pathlib import Path

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "sparse.json").read_text())
