import gzip
import io
import sys

import pytest
from Bio import bgzf

from seqem.errors import FormatError, ParameterError
from seqem.io.streams import atomic_write, head, open_binary, open_text

TEXT = "one\ntwo\n" * 20_000


def _read(path):
    with open_text(path) as handle:
        return handle.read()


def _bgzip(path, text):
    with bgzf.BgzfWriter(str(path)) as handle:
        handle.write(text)


def _stdin(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


def _fail(path, error):
    with atomic_write(path) as handle:
        handle.write("new")
        raise error


@pytest.mark.parametrize("name", ["a.txt", "a.gz", "a.GZ"])
def test_write_and_read(tmp_path, name):
    with atomic_write(tmp_path / name) as handle:
        handle.write(TEXT)
    assert _read(tmp_path / name) == TEXT
    assert head(tmp_path / name).startswith(b"one\ntwo")
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == (name != "a.txt")


def test_packed_files_are_the_same_each_time(tmp_path):
    for name in ("a.gz", "b.gz"):
        with atomic_write(tmp_path / name) as handle:
            handle.write(TEXT)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_bgzip_has_many_members(tmp_path):
    path = tmp_path / "a.bgz"
    _bgzip(path, TEXT)
    assert path.read_bytes().count(b"\x1f\x8b\x08\x04") > 2
    assert _read(path) == TEXT
    assert head(path).startswith(b"one\ntwo")


def test_gzip_is_seen_without_its_name(tmp_path):
    path = tmp_path / "plain.txt"
    path.write_bytes(gzip.compress(b"hello"))
    assert _read(path) == "hello"


def test_line_ends_and_byte_order_mark(tmp_path):
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert _read(path) == "one\ntwo\n"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_stays_open(monkeypatch, pack):
    _stdin(monkeypatch, pack(b"from a pipe"))
    assert head("-") == b"from a pipe"
    assert _read("-") == "from a pipe"
    assert not sys.stdin.buffer.closed


@pytest.mark.parametrize("kept", [5, 200, -5])
def test_gzip_cut_short(tmp_path, kept):
    path = tmp_path / "short.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:kept])
    with pytest.raises(FormatError, match=r"short\.gz: gzip data are damaged or cut short") as caught:
        _read(path)
    assert caught.value.path == str(path)


def test_gzip_with_a_wrong_byte(tmp_path):
    path = tmp_path / "wrong.gz"
    data = bytearray(gzip.compress(TEXT.encode()))
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"wrong\.gz"):
        _read(path)
    path.write_bytes(data[:10] + b"\xff" * 50)
    with pytest.raises(FormatError, match=r"wrong\.gz"):
        head(path)


@pytest.mark.parametrize("reader", [_read, head])
def test_gzip_by_name_only(tmp_path, reader):
    path = tmp_path / "text.gz"
    path.write_bytes(b"hello")
    with pytest.raises(FormatError, match="named as gzip"):
        reader(path)


@pytest.mark.parametrize("reader", [_read, head])
def test_missing_file_and_folder(tmp_path, reader):
    with pytest.raises(FormatError, match=r"none\.fa: cannot be opened: No such file"):
        reader(tmp_path / "none.fa")
    with pytest.raises(FormatError, match="cannot be opened: Is a directory"):
        reader(tmp_path)


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    for name in ("old.txt", "old.gz"):
        path = tmp_path / name
        path.write_text("old")
        with pytest.raises(RuntimeError):
            _fail(path, RuntimeError)
        assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.gz", "old.txt"]


def test_interrupted_first_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _fail(tmp_path / "new", KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


def test_write_through_a_link(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with atomic_write(tmp_path / "link") as handle:
        handle.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_new_file_has_the_usual_mode(tmp_path):
    (tmp_path / "usual").touch()
    with atomic_write(tmp_path / "ours"):
        pass
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(("name", "message"), [("none/a.txt", "No such file"), ("a.bgz", "bgzip"), ("", "folder")])
def test_cannot_write(tmp_path, name, message):
    with pytest.raises(ParameterError, match=message), atomic_write(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_binary_round_trip(tmp_path):
    with atomic_write(tmp_path / "b", "wb") as handle:
        handle.write(b"\x00\xff\r\n")
    with open_binary(tmp_path / "b") as handle:
        assert handle.read() == b"\x00\xff\r\n"
