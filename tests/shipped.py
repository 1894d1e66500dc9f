"""Where the shipped models are."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
