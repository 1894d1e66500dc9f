"""The base classes of all sections of the configuration."""

import os
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ghostrouter.errors import ConfigError

# Allowed names of models and keys.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Section(BaseModel):
    """A section of the configuration. It is immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Database(Section):
    """A section whose data is kept in a database."""

    # The key of the section, and the name of its SQLite file.
    KEY: ClassVar[str]

    folder: str | None = Field(
        default=None,
        description="folder of SQLite and other files; default: GHOSTROUTER_STATE_DIR, or `state` in the working "
        "directory",
    )
    url: str | None = Field(
        default=None,
        description="URL of a database, such as postgresql+psycopg://host/name; default: SQLite in the folder",
    )
    url_env: str | None = Field(default=None, description="environment variable that holds the URL")

    @property
    def path(self) -> Path:
        """The folder, as an absolute path."""
        return Path(self.folder or os.environ.get("GHOSTROUTER_STATE_DIR", "state")).resolve()

    @property
    def database(self) -> str:
        """The URL of the database.

        Raises:
            ConfigError: the environment variable is not set.
        """
        if self.url_env:
            url = os.environ.get(self.url_env)
            if not url:
                raise ConfigError(f"{self.KEY}.url_env: the environment variable {self.url_env} is not set")
            return url
        return self.url or f"sqlite:///{self.path / self.KEY}.sqlite"
