"""One web server for each state directory."""

from __future__ import annotations

import pytest

from healmon import __version__
from healmon.errors import HolderError
from healmon.service import sides, statedir
from healmon.service.instance import Lock
from healmon.web import mine


@pytest.mark.parametrize("mode", [sides.CHILD, mine.BY_HAND])
def test_one_that_ends_at_the_moment_of_the_question_is_in_nobodys_way(tmp_path, monkeypatch, mode):
    folder = statedir.prepare(tmp_path / "state" / statedir.WEB)
    before = Lock.acquire(folder, version=__version__, mode=mine.BY_HAND)
    acquire, asked = Lock.acquire, []

    def and_ends(*words, **more):
        asked.append(words)
        try:
            return acquire(*words, **more)
        finally:
            before.release()

    monkeypatch.setattr(Lock, "acquire", and_ends)
    taken = mine.take(folder.parent, mode)
    assert len(asked) == 2
    monkeypatch.undo()
    with pytest.raises(HolderError, match="served already"):
        mine.take(folder.parent, mine.BY_HAND)
    taken.release()
