"""URLs of backup targets: taken apart, or refused with a reason and without their secrets."""

from __future__ import annotations

import pytest

from healmon.config import depot
from healmon.config.depot import depot_of


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x", "cannot be a backup target: a directory can, and s3://, gs://"),
        ("s3:///x", "names no bucket"),
        ("s3://key:sesame@bucket/x", "keys do not belong in a URL"),
        ("sftp://me:sesame@host/x", "a password does not belong in a URL"),
        ("sftp://host", "names no directory"),
        ("sftp://host:port/x", "is no URL"),
        ("s3://bucket/x?endpont=http://a", "has an unknown option 'endpont'"),
        ("s3://bucket/x?endpoint=a:9000", "is no http:// or https:// URL"),
        ("s3://bucket/x?endpoint=http://me:sesame@a", "is no http:// or https:// URL"),
        ("s3://bucket/x?profile=", "option profile is empty"),
        ("sftp://host/x?region=y", "sftp:// knows: none"),
        ("s3://bucket/a#b", "write it as %23"),
    ],
)
def test_a_url_that_is_wrong_is_told_with_its_place_and_without_its_secret(configs, url, words):
    (line,) = configs.lines(
        f'[[disk.rules]]\nname = "logs"\npaths = ["logs"]\npatterns = ["*.log"]\nbackup = "{url}"'
    )
    assert ":5: disk.rules[0].backup: " in line
    assert words in line
    assert "sesame" not in line


def test_urls_are_taken_apart():
    found = depot_of("sftp://me@host:2222/srv/my%20logs/")
    assert found == ("sftp", "host", "/srv/my logs", "me", 2222, {})
    assert depot_of("s3://b/x/y/?region=r&endpoint=http://a:1") == (
        "s3", "b", "x/y", "", 0, {"region": "r", "endpoint": "http://a:1"},
    )  # fmt: skip


def test_a_library_that_is_missing_is_a_configuration_error(configs, monkeypatch):
    monkeypatch.setattr(depot, "find_spec", lambda name: None)
    text = '[[disk.rules]]\nname = "logs"\npaths = ["logs"]\npatterns = ["*"]\nbackup = "{}"'
    (line,) = configs.lines(text.format("sftp://host/x"))
    assert "asyncssh, which is not installed: pip install 'healmon[backup]'" in line
    assert not configs.faults_if_any(text.format("/srv/backup"))
