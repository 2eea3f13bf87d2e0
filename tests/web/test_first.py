from healmon import events as ev
from tests.helpers import scripted
from tests.helpers.webstage import staged


def test_it_runs(tmp_path):
    with staged(tmp_path / "s", past=scripted.world()) as stage:
        assert stage.ask("GET", "/healthz").status == 200
        assert stage.ask("GET", "/api/v1/state").status == 401
        reply = stage.get("/api/v1/state")
        assert reply.status == 200
        import json

        print(json.dumps(reply.json, indent=1)[:3000])
        print(reply.headers)
        browser = stage.login()
        print(browser.set_cookie)
        assert browser.get("/api/v1/state").json["workers"]
        stage.emit(ev.Observed("workers", "new", "healthy", "up", "t", "v", {"state": "healthy"}))
        stage.shown(lambda s: any(w["name"] == "new" for w in s["workers"]))
        stage.end_healer()
        stage.shown(lambda s: not s["healer"]["running"])
