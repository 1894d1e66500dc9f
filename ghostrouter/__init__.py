"""GhostRouter decides which language model should think next, and can change its mind in mid-answer.

This package is the library: it decides, and it imports neither ray nor vllm. `deployments/` acts on what it
decides and `graph.py` wires them together.
"""

from ghostrouter.boot import boot

__all__ = ["__version__", "boot"]
__version__ = "0.1.0"
