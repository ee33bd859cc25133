"""Files are written whole or not at all."""

import fsspec
import pytest

from evergreen import files


def test_a_file_is_replaced_with_its_folder_made_and_nothing_left_beside_it(tmp_path):
    path = tmp_path / "new" / "page.html"
    for content in ("first", b"second"):
        files.replace(path, content)
    assert path.read_bytes() == b"second"
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "page.html"
    files.replace(path, "old")

    def fail(part):
        part.write_text("half")
        raise OSError("full")

    with pytest.raises(OSError, match="full"), files.replacing(path) as part:
        fail(part)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("page.html", "old")]


@pytest.mark.parametrize(("mode", "content"), [("w", "grün"), ("wb", "grün".encode())])
def test_a_stored_file_is_replaced_too(tmp_path, mode, content):
    store = fsspec.filesystem("file")
    path = str(tmp_path / "entry.json")
    for _ in range(2):
        with files.replacing_stored(store, path, mode) as file:
            file.write(content)
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [("entry.json", "grün")]
