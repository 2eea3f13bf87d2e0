"""Reading the configuration again, by the healer inside a process: what is asked and answered."""

from __future__ import annotations

import asyncio
import threading

from msgspec.structs import replace

from healmon import events as ev
from healmon.config.load import load
from healmon.config.settings import Settings
from healmon.service import reload as reloading
from healmon.service.host import Host
from healmon.service.links import EngineLink
from healmon.service.reload import digest
from healmon.service.watching import FileWatch, print_of
from healmon.sessions.packs import user

CONFIG = """
[monitor]
name = "box"
check_interval = "1h"
{monitor}
[sessions]
sockets = []
[disk]
paths = []
{more}
"""


class Desk:
    """A healer behind a screen's link, and the file that it reads."""

    def __init__(self, base) -> None:
        self.file = base / "healmon.toml"
        self.write()
        self.events: list[ev.Event] = []
        self.host = Host.open(
            self.read(), base / "state", mode="tui", dry_run=False, read=self.read
        )
        self.link = EngineLink(self.host)
        self.link.open(lambda record: self.events.append(record.event))

    def read(self) -> Settings:
        settings = load(self.file, {"HOME": "/nonexistent"})
        user.packs_of(settings.sessions.packs)
        return settings

    def write(self, monitor="", more="") -> None:
        self.file.write_text(CONFIG.format(monitor=monitor, more=more))

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def ask(self, **arguments):
        async with asyncio.timeout(30):
            while (answer := await self.link.ask("reload", "", arguments)).text.endswith(
                ("starting", "not running")
            ):
                await asyncio.sleep(0.01)
            return answer


def live(tmp_path, scenario):
    desk = Desk(tmp_path)

    async def main():
        try:
            await scenario(desk)
        finally:
            await desk.link.close()

    asyncio.run(main())
    return desk


def test_the_healer_behind_a_screen_rereads_on_the_verb(tmp_path):
    async def scenario(desk):
        assert (await desk.ask()).text == "nothing has changed"
        desk.write(more='[store]\nretention = "3d"\n[alerts]\nconfirm_checks = 5')
        dry = await desk.ask(dry_run=True)
        assert dry.text.startswith("would change: ")
        assert dry.data["dry_run"] is True
        assert desk.host.settings.store.retention == 30 * 86400
        answer = await desk.ask()
        assert answer.ok
        assert [one["key"] for one in answer.data["changes"]] == [
            "alerts.confirm_checks", "store.retention",
        ]  # fmt: skip
        assert desk.host.settings.store.retention == 3 * 86400
        assert (await desk.ask()).text == "nothing has changed"

    desk = live(tmp_path, scenario)
    (event,) = desk.all(ev.ConfigurationChanged)
    assert event.source == str(desk.file)
    assert event.digest == digest(desk.host.settings)


def test_what_looks_like_a_secret_is_in_no_event(tmp_path):
    async def scenario(desk):
        channel = '[notify.channels.ops]\ncommand = ["tell"{}]'
        desk.write(more=channel.format(""))
        assert (await desk.ask()).ok
        desk.write(more=channel.format(', "--token", "tok-4711-x", "sk-abcdefghijklmnopqrst"'))
        answer = await desk.ask()
        assert answer.ok
        assert "notify.channels.ops.command" in answer.text
        assert "[redacted]" in answer.text
        assert "sk-abc" not in f"{answer.text}{answer.data}"

    desk = live(tmp_path, scenario)
    assert "sk-abc" not in str(desk.all(ev.ConfigurationChanged))


def test_packs_of_ones_own_are_read_again_though_no_key_has_changed(tmp_path):
    pack = """
[pack]
name = "mine"
"""
    folder = tmp_path / "packs"
    folder.mkdir()

    async def scenario(desk):
        text = desk.file.read_text().replace("sockets = []", 'sockets = []\npacks = "packs"')
        desk.file.write_text(text)
        assert (await desk.ask()).ok
        before = desk.host.healers[1]
        assert (await desk.ask()).text.endswith("packs were read again")
        assert desk.host.healers[1] is not before
        assert desk.host.healers[0] is workers
        (folder / "mine.toml").write_text(pack)
        assert not (await desk.ask()).ok, "a pack that is wrong is refused like a key"

    desk = Desk(tmp_path)
    workers = desk.host.healers[0]

    async def main():
        try:
            await scenario(desk)
        finally:
            await desk.link.close()

    asyncio.run(main())


def test_what_cannot_change_is_said_each_time_and_is_no_event(tmp_path):
    async def scenario(desk):
        desk.write(monitor='state_dir = "/elsewhere"\ndry_run = true')
        for _ in range(2):
            answer = await desk.ask()
            assert answer.ok
            assert answer.text.count("needs a restart of healmon") == 2
        assert not desk.host.settings.monitor.dry_run

    assert not live(tmp_path, scenario).all(ev.ConfigurationChanged)


def test_a_wrong_file_is_refused_with_every_fault_and_the_code_of_the_contract(tmp_path):
    async def scenario(desk):
        before = desk.host.settings
        desk.write(monitor="chek = 1", more="[alerts]\nnonsense = 2")
        dry = await desk.ask(dry_run=True)
        assert (dry.ok, dry.code) == (False, 78)
        assert not desk.all(ev.ConfigurationRefused), "a dry run raises no alert"
        answer = await desk.ask()
        assert (answer.ok, answer.code) == (False, 78)
        assert len(answer.data["problems"]) == 2
        assert desk.host.settings is before
        desk.file.unlink()
        assert "cannot be read" in (await desk.ask()).text
        desk.write()
        assert (await desk.ask()).ok

    desk = live(tmp_path, scenario)
    assert len(desk.all(ev.ConfigurationRefused)) == 2
    assert [e.key.rpartition("/")[2] for e in desk.all(ev.AlertOpened)] == ["configuration"]
    assert len(desk.all(ev.AlertResolved)) == 1


def test_a_file_that_hangs_is_a_refusal_and_the_healer_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(reloading, "READ_WITHIN", 0.2)
    free, calls, read = threading.Event(), [], Desk.read

    def hangs(self):
        calls.append(1)
        if len(calls) > 2:  # the first is the start's
            free.wait(30)
        return read(self)

    monkeypatch.setattr(Desk, "read", hangs)

    async def scenario(desk):
        await desk.ask()
        answer = await desk.ask()
        assert (answer.ok, answer.code) == (False, 78)
        assert "it hangs" in answer.text
        assert (await desk.link.ask("check", "", {})).ok
        free.set()

    live(tmp_path, scenario)


def test_a_healer_that_reads_no_file_says_so(tmp_path):
    desk = Desk(tmp_path)

    async def main():
        answer = await desk.ask()
        assert answer.ok
        await desk.link.close()

    asyncio.run(main())
    host = Host.open(desk.read(), tmp_path / "other", mode="tui", dry_run=False)
    link = EngineLink(host)
    link.open(lambda _record: None)
    desk.link = link

    async def again():
        answer = await desk.ask()
        assert not answer.ok
        assert "reads no configuration file" in answer.text
        await link.close()

    asyncio.run(again())


def test_a_digest_knows_all_but_secrets(tmp_path):
    file = tmp_path / "healmon.toml"
    file.write_text(CONFIG.format(monitor="", more='[workers.a]\ncommand = ["x"]'))
    settings = load(file, {"HOME": "/nonexistent"})
    (worker,) = settings.workers

    def of(**keys):
        return digest(replace(settings, workers=(replace(worker, **keys),)))

    assert digest(settings) == of()
    assert of(stop_timeout=3.0) != of()
    assert of(env={"TOKEN": "one"}) == of(env={"TOKEN": "two"})


def test_a_watched_file_is_read_once_it_is_still(tmp_path):
    asked = []

    async def scenario():
        desk = Desk(tmp_path)
        host = desk.host
        host.settings = replace(
            host.settings, monitor=replace(host.settings.monitor, reload_on_change=True)
        )

        async def reload(origin):
            asked.append(origin)
            host.file = print_of(str(desk.file))

        watch = FileWatch(host, reload)
        wrote = desk.file.stat().st_mtime
        begun = ev.CycleStarted(1)

        async def cycle(wall):
            watch.heard(ev.Recorded(1, wall, begun))
            await watch._task

        await cycle(wrote + 60)
        assert asked == [], "it is the one that was read"
        desk.write(monitor="# another")
        wrote = desk.file.stat().st_mtime
        await cycle(wrote + 0.5)
        assert asked == [], "it may still be written"
        await cycle(wrote + 1.5)
        await cycle(wrote + 61)
        assert asked == ["file change"]
        desk.file.unlink()
        await cycle(wrote + 120)
        assert len(asked) == 1, "one that is gone is being replaced"
        await desk.link.close()

    asyncio.run(scenario())
