"""`hf:OWNER/NAME[@REVISION]`: the cache, the names, what is told offline."""

import pathlib
import sys
import types

import pytest

from tl_keras.errors import ConfigError, MachineError
from tl_keras.networks.text.hub import cache_folder, find_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "some-owner/tiny_BERT.v1"
README = "---\nlanguage: en\nlicense: apache-2.0\n---\n# Tiny\nlicense: mit\n"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    """An empty cache, and nothing that could fetch."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    return tmp_path / "hub"


def put(cache, revision="main") -> pathlib.Path:
    """A snapshot as huggingface_hub leaves it."""
    repository = cache / f"models--{NAME.replace('/', '--')}"
    folder = repository / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for file in ("config.json", "model.safetensors", "vocab.txt"):
        (folder / file).write_text("")
    (folder / "README.md").write_text(README)
    reference = repository / "refs" / revision
    reference.parent.mkdir(parents=True)
    reference.write_text(COMMIT)
    return folder


@pytest.mark.parametrize(
    ("revision", "at"),
    [("main", ""), ("v1.0", "@v1.0"), ("refs/pr/7", "@refs/pr/7"),
     ("main", f"@{COMMIT}")],
)  # fmt: skip
def test_a_snapshot_is_found_with_its_commit_and_licence(cache, revision, at):
    folder = put(cache, revision)
    found = find_model(f"hf:{NAME}{at}")
    assert found == (folder, NAME, COMMIT, "apache-2.0")


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "README.md").write_text(README)
    found = find_model(str(tmp_path))
    assert found == (tmp_path, tmp_path.name, "", "apache-2.0")
    with pytest.raises(ConfigError, match="found no folder"):
        find_model(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "name",
    ["", "one", "a/b/c", "../b", "a/..", "a/b@", "a/b@../c", "a/b@/c", "a/-b",
     "a/b c", "a/b@c d", "a--x/b", "a/b.", "a" * 97 + "/b", "a/b@-c", "/b",
     "a/b@x/../y", "a/b\n"],
)  # fmt: skip
def test_what_can_be_no_name_is_refused(cache, name):
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        find_model(f"hf:{name}")


def test_offline_a_line_says_where_to_put_it(cache, monkeypatch):
    with pytest.raises(MachineError, match="not installed") as caught:
        find_model(f"hf:{NAME}")
    assert "tl-keras[hub]" in str(caught.value)
    assert "models--some-owner--tiny_BERT.v1" in str(caught.value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MachineError, match="forbids") as caught:
        find_model(f"hf:{NAME}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_snapshot_without_its_weights_is_not_taken(cache):
    (put(cache) / "model.safetensors").unlink()
    with pytest.raises(MachineError):
        find_model(f"hf:{NAME}")


def test_what_is_missing_is_fetched_and_no_token_told(cache, monkeypatch):
    asked = []

    def snapshot_download(name, revision, allow_patterns):
        asked.append((name, revision))
        if revision == "main":
            return str(put(cache))
        raise RuntimeError("401 for https://x with Bearer hf_secretsecret")

    hub = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert find_model(f"hf:{NAME}").revision == COMMIT
    with pytest.raises(MachineError, match="RuntimeError") as caught:
        find_model(f"hf:{NAME}@closed")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert asked == [(NAME, "main"), (NAME, "closed")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(
    monkeypatch, variables, expected
):
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == pathlib.Path(expected)
