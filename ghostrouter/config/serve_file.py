"""A file for `serve run`, read with every override."""

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
    """A file for `serve run`: what it says of HTTP, and the configurations of the applications that are this one.

    `document` is the file with all overrides in it.
    """

    host: str
    port: int
    graphs: tuple[GraphConfig, ...]
    document: dict[str, Any]

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> "ServeFile":
        """Read a file, with overrides by the environment and then by `overrides`.

        Raises:
            ConfigError: something is wrong; a line for each problem names file, line and key.
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
