"""What is shipped for Prometheus and Grafana is right by their own tools, and speaks of what is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from tools import grafana

from healmon.metrics import Facts, Process, exposition, families
from tests.helpers.everything import NOW, told
from tests.helpers.prometheus import ROOT, needs_prometheus, promtool

SHIPPED = ROOT / "contrib" / "prometheus"
METRIC = re.compile(r"\b(?:healmon|process)_[a-z_]+\b")


def names() -> set[str]:
    """Every name that can be queried of a healer that knows everything."""
    known = set()
    for running in (True, False):
        for family in families(told(), Facts(running=running, now=NOW)):
            ends = ("_sum", "_count") if family.kind == "summary" else ("",)
            known |= {family.name + end for end in ends}
    return known | {
        "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds",
        "process_open_fds",
    }  # fmt: skip


@pytest.mark.slow
@needs_prometheus
def test_promtool_is_content_with_config_rules_and_numbers():
    promtool("check", "config", "scrape.yml", cwd=SHIPPED)
    assert "30 rules found" in promtool("check", "rules", "rules.yml", cwd=SHIPPED)
    promtool("test", "rules", "rules_test.yml", cwd=SHIPPED)
    said = promtool("check", "metrics", given=exposition(families(told(), Facts(True, NOW))))
    assert said == ""


def test_rules_speak_of_numbers_that_there_are_and_alertmanager_of_rules_that_there_are():
    rules = yaml.safe_load((SHIPPED / "rules.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert set(METRIC.findall(rule["expr"])) <= names(), rule
    alerts = {rule["alert"] for rule in rules if "alert" in rule}
    tested = (SHIPPED / "rules_test.yml").read_text()
    assert {name for name in alerts if name not in tested} == set()
    inhibited = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())["inhibit_rules"]
    absent = inhibited[0]
    assert absent["source_matchers"] == ['alertname="HealmonAgentAbsent"']
    (target,) = absent["target_matchers"]
    pattern = re.fullmatch(r'alertname=~"(.*)"', target)[1]
    muted = {name for name in alerts if re.fullmatch(pattern, name)}
    assert alerts - muted == {"HealmonAgentAbsent", "HealmonNotScraped"}


def panels() -> list[dict[str, Any]]:
    return grafana.dashboard()["panels"]


def test_the_dashboard_is_what_the_code_makes():
    kept = grafana.FILE.read_text()
    assert kept == grafana.text(), "make grafana"
    assert json.loads(kept)["uid"] == "healmon"


def test_panels_lie_side_by_side_within_the_grid():
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


@pytest.mark.parametrize(
    "panel", [p for p in panels() if p["type"] != "row"], ids=lambda p: p["title"]
)
def test_each_panel_says_what_it_is_of_what_and_for_whom(panel):
    assert panel["title"]
    assert panel["description"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        expression = target["expr"]
        assert target["datasource"] == panel["datasource"]
        assert set(METRIC.findall(expression)) <= names()
        for metric in METRIC.finditer(expression):
            assert expression[metric.end() :].startswith('{job=~"$job", instance=~"$instance"')
        if "rate(" in expression:
            assert "[$__rate_interval]" in expression
        assert not re.search(r"increase\([^)]*\[\d+[sm]\]", expression)
        assert re.search(r"\{\{\w+\}\}", target["legendFormat"]) or panel["type"] == "stat"


def test_it_asks_for_source_job_and_host():
    wanted = [one["name"] for one in grafana.dashboard()["templating"]["list"]]
    assert wanted == ["datasource", "job", "instance"]


@pytest.mark.parametrize("name", ["dashboards", "datasources"])
def test_provisioning_is_yaml_of_grafanas_first_version(name):
    kept = ROOT / "contrib" / "grafana" / "provisioning" / name / "healmon.yml"
    assert yaml.safe_load(kept.read_text())["apiVersion"] == 1


def test_the_page_tells_of_every_number_in_its_own_words():
    page = (ROOT / "docs" / "metrics.md").read_text()
    cost = Process(1.0, 1, 1.0, 1)
    for family in families(told(), Facts(running=True, now=NOW, process=cost)):
        labels = ", ".join(f"`{label}`" for label in family.labels)
        assert f"| `{family.name}` | {family.kind} | {labels} | {family.help} |" in page
    rules = (SHIPPED / "rules.yml").read_text()
    assert set(re.findall(r"alert: (\w+)", rules)) == set(re.findall(r"`(Healmon[A-Z]\w+)`", page))
