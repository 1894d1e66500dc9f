"""Read a file for `serve run`, with all overrides."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ghostrouter.config import file
from ghostrouter.config.graph import GraphConfig
from ghostrouter.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ServeFile:
    """A file for `serve run`: its HTTP host and port, and the configuration of each GhostRouter application.

    `document` is the content of the file with all overrides applied.
    """

    host: str
    port: int
    graphs: tuple[GraphConfig, ...]
    document: dict[str, Any]

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> "ServeFile":
        """Read a file. Overrides from the environment come first, then `overrides`.

        Raises:
            ConfigError: the configuration is wrong; one line per error names file, line and key.
        """
        document = file.document(path)
        changes = [*file.from_environment(os.environ), *overrides]
        graphs = []
        for number, application in enumerate(document["applications"]):
            if application.get("import_path") != "graph:build":
                continue
            application["args"] = file.override(application.get("args") or {}, changes)
            try:
                graphs.append(GraphConfig.model_validate(application["args"]))
            except ValidationError as error:
                under = ("applications", number, "args")
                raise ConfigError(file.problems(error, GraphConfig, path, under)) from error
        http = {"host": "127.0.0.1", "port": 8000, **(document.get("http_options") or {})}
        return cls(http["host"], http["port"], tuple(graphs), document)
