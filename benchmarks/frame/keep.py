"""Keep finished parts of a long run, so that a run that was killed continues after them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from m2trec_merlin.artifacts import atomic_write, fingerprint, read_json

T = TypeVar("T")


class Store(Generic[T]):
    """A folder with one JSON file per result, which holds the result and a key of its inputs.

    Args:
        folder: folder of the files.
        kind: dataclass of the results.
    """

    def __init__(self, folder: Path, kind: type[T]) -> None:
        self._folder = folder
        self._reader: TypeAdapter[T] = TypeAdapter(kind)

    def read(self, name: str, depends: Any) -> T | None:
        """Return a kept result, or None if there is none or it was made from other inputs.

        Args:
            name: name of the result.
            depends: all inputs of the result, as values of JSON.
        """
        path = self._folder / f"{name}.json"
        if not path.is_file():
            return None
        content = read_json(path)
        if content["key"] != fingerprint(depends):
            return None
        return self._reader.validate_python(content["result"])

    def write(self, name: str, depends: Any, result: T) -> None:
        """Keep a result; the file is written atomically."""
        content = {"key": fingerprint(depends), "result": asdict(result)}  # type: ignore[call-overload]
        atomic_write(self._folder / f"{name}.json", json.dumps(content, indent=1))

    def all(self) -> list[T]:
        """Return every kept result in the order of names, whatever its inputs."""
        paths = sorted(self._folder.glob("*.json"))
        return [self._reader.validate_python(read_json(path)["result"]) for path in paths]
