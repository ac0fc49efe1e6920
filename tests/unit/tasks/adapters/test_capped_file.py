"""Files and objects are read up to a size; a length that nobody paid for is refused."""

import os
import threading
from pathlib import Path

import pytest

from convexfx_core.errors import CodecError, CommitConflict
from convexfx_core.limits import BUNDLE_BYTES_MAX, OBJECT_BYTES_MAX
from tasks.adapters.capped_file import HOLE_FREE_BYTES, FileTooLarge, object_bytes_max, read_file
from tasks.adapters.folder import FolderStore
from tests.support.child_cost import BOMB_BYTES_MAX, cost_of


def file_of(folder: Path, size: int, head: bytes = b"") -> Path:
    """A file of that length, a hole behind its first bytes."""
    path = folder / "file"
    path.write_bytes(head)
    os.truncate(path, size)
    return path


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = file_of(tmp_path, 10, b"0123456789")
    assert read_file(path, 10) == b"0123456789"
    with pytest.raises(FileTooLarge) as caught:
        read_file(path, 9)
    assert caught.value.strerror == "expected at most 9 bytes"
    assert read_file(file_of(tmp_path, 0), 0) == b""


def test_a_pipe_that_never_ends_is_read_up_to_its_bound(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(bytes(11)))
    writer.start()
    with pytest.raises(FileTooLarge):
        read_file(pipe, 10)
    writer.join()


def test_a_long_file_with_a_hole_is_refused_and_a_short_one_is_not(tmp_path: Path) -> None:
    assert len(read_file(file_of(tmp_path, HOLE_FREE_BYTES), 1 << 40)) == HOLE_FREE_BYTES
    with pytest.raises(FileTooLarge, match="no hole"):
        read_file(file_of(tmp_path, HOLE_FREE_BYTES + 1), 1 << 40)
    whole = tmp_path / "whole"
    whole.write_bytes(b"\1" * (HOLE_FREE_BYTES + 1))
    assert len(read_file(whole, 1 << 40)) == HOLE_FREE_BYTES + 1


def test_kinds_of_objects_have_their_bounds() -> None:
    for key in ("inbox/x.parquet", "inbox/x.json.gz", "epochs/1/outcome.json"):
        assert object_bytes_max(key) == BUNDLE_BYTES_MAX
    for key in ("epochs/1/orders/x.parquet", "epochs/1/witness.bin", "state/1.parquet"):
        assert object_bytes_max(key) == OBJECT_BYTES_MAX


def test_a_folder_is_a_store_that_only_reads(tmp_path: Path) -> None:
    (tmp_path / "epochs/1").mkdir(parents=True)
    (tmp_path / "epochs/1/a.json").write_bytes(b"{}")
    (tmp_path / "secret").write_bytes(b"s")
    store = FolderStore(tmp_path / "epochs")
    assert store.get("1/a.json") == b"{}"
    assert store.get("1/b.json") is None
    assert store.get("../secret") is None
    assert store.exists("1/a.json")
    assert store.list("1/") == ("1/a.json",)
    with pytest.raises(CommitConflict):
        store.put_new("1/a.json", b"other")
    assert store.get("1/a.json") == b"{}"


def test_what_lies_in_a_folder_costs_nothing_until_it_is_asked_for(tmp_path: Path) -> None:
    """A folder that packs into some kilobytes: three files of a gigabyte, all hole."""
    for name in ("one.bin", "two.json", "three.parquet"):
        file_of(tmp_path, 1 << 30).rename(tmp_path / name)
    setup = (
        "from tasks.adapters.folder import FolderStore\n"
        "def read_all(store):\n"
        "    refused = []\n"
        "    for key in store.list(''):\n"
        "        try:\n"
        "            store.get(key)\n"
        "        except Exception as error:\n"
        "            refused.append(error)\n"
        "    raise refused[2]\n"
    )
    cost = cost_of(setup, f"read_all(FolderStore(Path({str(tmp_path)!r})))", b"")
    assert cost.said.startswith("CODEC")
    assert cost.peak_bytes < BOMB_BYTES_MAX
    store = FolderStore(tmp_path)
    for key in store.list(""):
        with pytest.raises(CodecError, match=key):
            store.get(key)
