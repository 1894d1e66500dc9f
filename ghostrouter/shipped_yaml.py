"""Read the YAML files that are part of the package. They are long, and each process reads them when it starts."""

from typing import Any

import yaml

# Ten times faster. Its messages are less exact, so files of users are read by the other one.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> Any:
    """The content of a YAML text."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
