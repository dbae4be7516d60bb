"""Buttons lead to a repository only where its address is known."""

import subprocess

import pytest

from book._ext import house


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("https://github.com/owner/name.git", "https://github.com/owner/name"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@gitlab.com/owner/name.git", "https://gitlab.com/owner/name"),
        ("https://example.org/owner/name", None),
        ("/somewhere/on/disk", None),
        ("", None),
    ],
)
def test_from_the_environment(monkeypatch, tmp_path, given, known):
    monkeypatch.setenv("REPOSITORY", given)
    assert house.repository_address(tmp_path) == known


def test_from_git(monkeypatch, tmp_path):
    monkeypatch.delenv("REPOSITORY", raising=False)
    assert house.repository_address(tmp_path) is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert house.repository_address(tmp_path) is None
    remote = ["remote", "add", "origin", "git@github.com:owner/name.git"]
    subprocess.run(["git", "-C", tmp_path, *remote], check=True)
    assert house.repository_address(tmp_path) == "https://github.com/owner/name"
