"""What every part of the configuration has in common."""

import os
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ghostrouter.errors import ConfigError

# What models and keys are called.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Section(BaseModel):
    """A part of the configuration: it does not change, and keys that it does not know are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Database(Section):
    """A section whose data is kept in a database that survives a restart."""

    # The section's key; SQLite's file is named like it.
    KEY: ClassVar[str]

    folder: str | None = Field(
        default=None,
        description="of SQLite, and of whatever else is kept in files; default: GHOSTROUTER_STATE_DIR, else `state` in "
        "the working directory",
    )
    url: str | None = Field(
        default=None,
        description="a database of its own, such as postgresql+psycopg://host/name; default: SQLite in the folder",
    )
    url_env: str | None = Field(default=None, description="the environment variable that holds the URL instead")

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder or os.environ.get("GHOSTROUTER_STATE_DIR", "state")).resolve()

    @property
    def database(self) -> str:
        """The URL of the database.

        Raises:
            ConfigError: the variable that should hold it is not set.
        """
        if self.url_env:
            url = os.environ.get(self.url_env)
            if not url:
                raise ConfigError(f"{self.KEY}.url_env: the environment variable {self.url_env} is not set")
            return url
        return self.url or f"sqlite:///{self.path / self.KEY}.sqlite"
