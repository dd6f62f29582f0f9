"""Weights by path or by name: never fetched, never another file, never code unasked."""

import hashlib
import zipfile

import pytest
import torch

from libcell.data import weights
from libcell.errors import DataError, Unavailable


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "cache" / "cellpose").mkdir(parents=True)
    return tmp_path / "cache"


def test_every_known_file_has_a_name_an_address_and_a_plausible_digest():
    for family, known in weights.KNOWN.items():
        assert known, family
        for name, one in known.items():
            assert one.name == name and one.url.startswith("https://") and "/" not in one.file
            assert one.url.endswith(f"/{one.file}")
            assert len(one.sha256) in (0, 64)


def test_where_they_are_kept(cache, monkeypatch, tmp_path):
    assert weights.cache() == cache
    monkeypatch.delenv(weights.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert weights.cache() == tmp_path / "xdg" / "libcell" / "models"


def test_what_is_not_there_comes_with_the_command_that_gets_it(cache):
    with pytest.raises(Unavailable) as told:
        weights.find("livecell_cp3", "cellpose")
    place = cache / "cellpose" / "livecell_cp3"
    assert (f"mkdir -p '{place.parent}' && curl -fL -o '{place}' "
            "https://www.cellpose.org/models/livecell_cp3") in str(told.value)


def test_an_unknown_name_is_no_other(cache):
    with pytest.raises(Unavailable, match="no such file, nor a known network"):
        weights.find("cyto4", "cellpose")


def test_a_known_digest_is_checked(cache):
    (cache / "cellpose" / "cyto3").write_bytes(b"not it")
    with pytest.raises(DataError, match="is not the file that it was"):
        weights.find("cyto3", "cellpose")


def test_an_unknown_digest_is_noted_once_and_checked_from_then_on(cache):
    file = cache / "cellpose" / "livecell_cp3"
    file.write_bytes(b"first")
    expected = hashlib.sha256(b"first").hexdigest()
    assert weights.find("livecell_cp3", "cellpose").digest == f"sha256:{expected}"
    note = file.with_name("livecell_cp3.sha256")
    assert note.read_text() == f"{expected}  livecell_cp3\n"
    assert weights.find("livecell_cp3", "cellpose").path == file
    file.write_bytes(b"second")
    with pytest.raises(DataError, match=r"expected .*livecell_cp3\.sha256"):
        weights.find("livecell_cp3", "cellpose")


def test_a_path_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_bytes(b"x")
    found = weights.find("mine", "cellpose")
    assert found.path == tmp_path / "mine"
    assert found.mark["digest"] == f"sha256:{hashlib.sha256(b'x').hexdigest()}"


def test_a_folders_digest_is_of_what_its_files_hold(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a").write_bytes(b"1")
    first = weights.find(str(tmp_path / "m"), "stardist").digest
    (tmp_path / "m" / "a").write_bytes(b"2")
    assert weights.find(str(tmp_path / "m"), "stardist").digest != first


def test_only_tensors_are_read(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "plain")
    assert weights.load_tensors(tmp_path / "plain")["a"].tolist() == [1, 1]
    torch.save(torch.nn.Linear(2, 2), tmp_path / "code")
    with pytest.raises(DataError, match="--trust code"):
        weights.load_tensors(tmp_path / "code")
    with pytest.raises(DataError, match="no table of tensors"):  # it ran, and is none
        weights.load_tensors(tmp_path / "code", trusted="code")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="not a checkpoint of torch"):
        weights.load_tensors(tmp_path / "text")


def test_members_of_a_folder_and_of_a_zip(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_bytes(b"{}")
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("deep/config.json", "{}")
    for name in ("m", "m.zip"):
        assert weights.read_member(tmp_path / name, "config.json") == b"{}"
        with pytest.raises(DataError, match=r"holds no x\.h5"):
            weights.read_member(tmp_path / name, "x.h5")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="neither a folder nor a readable zip"):
        weights.read_member(tmp_path / "bad.zip", "x")
