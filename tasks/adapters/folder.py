"""A store over a folder that somebody handed over: ``convexfx proof verify --folder`` reads it.

It is read-only, and reads an object when it is asked for and no sooner: what lies in a stranger's
folder and is no object of the epoch costs nothing. Keys are the names found in the folder, so no
key of a stranger's manifest leads out of it.
"""

from pathlib import Path

from convexfx_core.errors import CodecError
from tasks.adapters.capped_file import object_bytes_max, read_file
from tasks.adapters.conditional import Answer, Attempt, ConditionalStore
from tasks.adapters.memory import content_tag
from tasks.ports import Versioned


class FolderObjects:
    """Single attempts against a folder; every put is refused as if the key were taken.

    Parameters
    ----------
    folder : holds the objects, each in a file named by its key.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file()
        }

    def read(self, key: str) -> Versioned | None:
        """Object and tag, or ``None``; ``CodecError`` for a file that its key may not hold."""
        path = self._files.get(key)
        if path is None:
            return None
        try:
            body = read_file(path, object_bytes_max(key))
        except OSError as error:
            raise CodecError(key, "a readable object", error.strerror) from None
        return Versioned(body, content_tag(body))

    def holds(self, key: str) -> bool:
        """Whether there is such a file."""
        return key in self._files

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Keys with the prefix in byte order."""
        return tuple(sorted((k for k in self._files if k.startswith(prefix)), key=str.encode))

    def try_put(self, key: str, body: bytes, tag: str | None) -> Attempt:
        """Nothing is ever written."""
        return Attempt(Answer.TAKEN, detail="a folder is read-only")

    def discard(self, key: str) -> None:
        """Nothing is ever removed."""


class FolderStore(ConditionalStore):
    """A ``Store`` that reads a folder.

    Parameters
    ----------
    folder : as in :class:`FolderObjects`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(FolderObjects(folder), lambda _: None)
