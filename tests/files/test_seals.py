"""Checksums of files: what was changed is told, whatever byte it is."""

import pytest

from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.staging import check_seal, read_json, seal, write_json

CONTENT = bytes(range(200))


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    seal(path, b"context")
    return path


def test_a_sealed_file_begins_with_what_it_was(sealed):
    check_seal(sealed, b"context")
    assert sealed.read_bytes().startswith(CONTENT)
    with pytest.raises(FileFormatError, match="SHA-256 differs"):
        check_seal(sealed, b"another")


def test_every_byte_counts(sealed):
    whole = sealed.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        sealed.write_bytes(changed)
        with pytest.raises(FileFormatError, match="SHA-256 differs"):
            check_seal(sealed, b"context", required=False)


def test_every_length_counts(sealed):
    whole = sealed.read_bytes()
    for length in range(len(whole)):
        sealed.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match=r"SHA-256 differs|has no checksum"):
            check_seal(sealed, b"context")


def test_a_file_without_a_seal_passes_where_it_may(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    check_seal(tmp_path / "file", required=False)
    with pytest.raises(FileFormatError, match="has no checksum at its end"):
        check_seal(tmp_path / "file")


def test_signed_json_comes_back_as_it_was_and_a_changed_digit_is_told(tmp_path):
    path, content = tmp_path / "a.json", {"accuracy": 0.5, "shape": (3, 4), "none": None}
    write_json(path, content, signed=True)
    assert read_json(path, signed=True) == {**content, "shape": [3, 4]}
    path.write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(FileFormatError, match=r"a\.json is damaged"):
        read_json(path, signed=True)
    for other in ("[1]", "{}", '{"accuracy": 1}'):
        path.write_text(other)
        with pytest.raises(FileFormatError, match=r"a\.json has no checksum"):
            read_json(path, signed=True)


def test_json_nested_without_end_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(FileFormatError, match="is not a JSON file"):
        read_json(tmp_path / "a.json")
