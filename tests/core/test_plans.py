import msgspec
import pytest
from hypothesis import given

from healmon.plans import RANK, Plan, Step, describe, pack, unpack
from tests.helpers.any_event import any_of


class Order(msgspec.Struct, frozen=True):
    pid: int
    names: tuple[str, ...]
    limit: float | None = None
    step: Step | None = None


def test_a_packed_struct_is_plain_json_and_unpacks_to_itself():
    order = Order(4711, ("a", "b"), 0.5, Step("do it", "x"))
    packed = pack(order)
    assert packed == {
        "pid": 4711, "names": ["a", "b"], "limit": 0.5, "step": {"text": "do it", "command": "x"},
    }  # fmt: skip
    assert unpack(packed, Order) == order


def test_a_packed_struct_survives_json():
    order = Order(1, ())
    assert unpack(msgspec.json.decode(msgspec.json.encode(pack(order))), Order) == order


def test_what_another_layout_packed_is_refused():
    with pytest.raises(msgspec.ValidationError):
        unpack({"pid": "4711", "names": []}, Order)
    with pytest.raises(msgspec.ValidationError):
        unpack({}, Order)


@given(any_of(Plan))
def test_any_plan_unpacks_to_itself(plan):
    assert unpack(pack(plan), Plan) == plan


PLAN = Plan(
    healer="workers",
    component="task_worker",
    action="restart_worker",
    subject="pid 4711 since 1234",
    why="pid 4711 ended: exit 1",
    steps=(
        Step("start workers/task_worker.py", "python3 workers/task_worker.py"),
        Step("watch it"),
    ),
    proof="a new pid that lives for 1 s",
    on_failure="try again after 10 s",
    order={},
    delay=5.0,
)


def test_a_plan_is_described_step_by_step():
    assert describe(PLAN) == [
        "restart_worker task_worker",
        "why:   pid 4711 ended: exit 1",
        "wait:  5 s, then look again",
        "do 1:  start workers/task_worker.py",
        "       $ python3 workers/task_worker.py",
        "do 2:  watch it",
        "proof: a new pid that lives for 1 s",
        "else:  try again after 10 s",
    ]


def test_a_plan_without_delay_does_not_mention_one():
    assert not any("wait" in line for line in describe(msgspec.structs.replace(PLAN, delay=0.0)))


@given(any_of(Plan))
def test_every_part_of_a_plan_that_a_person_must_know_is_described(plan):
    text = "\n".join(describe(plan))
    parts = [plan.action, plan.component, plan.why, plan.proof, plan.on_failure]
    for part in [*parts, *(step.text for step in plan.steps), *(s.command for s in plan.steps)]:
        assert part in text


def test_severities_rise():
    assert sorted(RANK, key=RANK.__getitem__) == ["INFO", "WARNING", "CRITICAL"]
