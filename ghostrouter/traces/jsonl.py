"""Read JSON lines. Errors name the file and the line."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ghostrouter.errors import TraceInvalid

Model = TypeVar("Model", bound=BaseModel)


def read_lines(path: Path, kind: type[Model]) -> list[Model]:
    """Read a file as objects of `kind`, one per line. Empty lines are skipped.

    Raises:
        TraceInvalid: the file cannot be read, is empty or has a wrong line; the message is `file:line: what`.
    """
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceInvalid(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    found = [_checked(path, number, text, kind) for number, text in enumerate(lines, 1) if text.strip()]
    if not found:
        raise TraceInvalid(f"{path}:1: the file is empty")
    return found


def _checked(path: Path, number: int, text: str, kind: type[Model]) -> Model:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        what = first["msg"].removeprefix("Value error, ")
        raise TraceInvalid(f"{path}:{number}: {where}: {what}" if where else f"{path}:{number}: {what}") from error
