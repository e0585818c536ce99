"""cache: kept between runs, or told where there is nowhere to keep it."""

import os
import pathlib
import stat

import pytest

from tl_keras import cache
from tl_keras.cache import user_cache, why_unusable
from tl_keras.config import TransferConfig
from tl_keras.console import on_console
from tl_keras.errors import MachineError


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch, tmp_path):
    """A folder for temporary files of the test's own, and nothing known."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    cache._root.cache_clear()
    yield
    cache._root.cache_clear()


def test_the_home_folder_is_used_where_it_can_be(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache("a") == tmp_path / "home/.cache/tl_keras/a"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert user_cache("a") == tmp_path / "x/tl_keras/a"
    assert capsys.readouterr().out == ""


def no_home(monkeypatch):
    def raise_error():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", raise_error)


HOMES = {
    "/dev/null": lambda m: m.setenv("HOME", "/dev/null/home"),
    "read-only": lambda m: m.setattr(
        cache.os, "access", lambda path, mode: False
    ),
    "unknown user": no_home,
}


@pytest.mark.parametrize("case", HOMES)
def test_without_a_home_it_is_a_temporary_folder_and_told_once(
    case, monkeypatch, tmp_path, capsys
):
    HOMES[case](monkeypatch)
    expected = tmp_path / f"tl_keras-{os.getuid()}"
    with on_console():
        assert user_cache("a") == expected / "a"
        assert user_cache("b") == expected / "b"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("cache: ")
    assert str(expected) in line
    assert stat.S_IMODE(expected.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, None])
def test_a_temporary_folder_of_somebody_else_is_not_taken(
    mode, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", "/dev/null")
    foreign = tmp_path / f"tl_keras-{os.getuid()}"
    if mode is None:
        (tmp_path / "elsewhere").mkdir()
        foreign.symlink_to(tmp_path / "elsewhere")
    else:
        foreign.mkdir()
        foreign.chmod(mode)
    found = user_cache("a").parent
    assert found != foreign
    assert found.parent == tmp_path


def test_why_a_folder_cannot_be_used(tmp_path):
    assert why_unusable(tmp_path / "not" / "yet") == ""
    (tmp_path / "file").touch()
    words = f"{tmp_path}/file is no folder"
    assert why_unusable(tmp_path / "file" / "x") == words


def test_without_any_place_training_goes_on_without_the_store(
    monkeypatch, capsys
):
    from tl_keras.jobs.preparation import usable_cache

    def nowhere():
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr(cache.tempfile, "gettempdir", nowhere)
    config = TransferConfig(dataset="digits", backbone="letters_vgg")
    with on_console():
        assert usable_cache(config) == "off"
    assert "computed each epoch, since /dev/null" in capsys.readouterr().out


def test_a_folder_that_was_given_and_cannot_be_used_is_one_line():
    from tl_keras.jobs.preparation import usable_cache

    given = TransferConfig(feature_cache="/dev/null/x")
    with pytest.raises(MachineError, match="/dev/null is no folder - give"):
        usable_cache(given)
