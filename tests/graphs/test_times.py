"""Every node of the graph has a stage; what begins and ends is written, also when the process stops between."""

from pathlib import Path

from graphs.build import transfer_builder
from graphs.crossmodel import reoptimise_builder
from graphs.feedback import relearn_builder
from graphs.learning import learning_builder
from graphs.times import FILE, HOLDS_OTHERS, STAGE_OF, StageClock, spans, under_way
from records.rundir import RunDirectory


def test_every_node_has_a_stage() -> None:
    builders = (transfer_builder(), learning_builder(), reoptimise_builder(), relearn_builder())
    assert {node for builder in builders for node in builder.nodes} == {*STAGE_OF, *HOLDS_OTHERS}


def test_rows_of_begin_and_end(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    clock = StageClock(run)
    clock.hear({"id": "1", "name": "learn", "input": {}, "triggers": ()})
    clock.hear({"id": "2", "name": "gate", "input": {}, "triggers": ()})
    rows = list(run.rows(FILE))
    assert under_way(rows) == ("gate", rows[0]["begun"]) and not list(spans(rows))
    clock.hear({"id": "2", "name": "gate", "error": None, "result": {}, "interrupts": []})
    clock.hear({"id": "1", "name": "learn", "error": None, "result": {}, "interrupts": []})
    rows = list(run.rows(FILE))
    assert [stage for stage, _, _ in spans(rows)] == ["gate"] and under_way(rows) is None


def test_what_is_under_way_ends_with_its_process(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    clock = StageClock(run)
    clock.hear({"id": "2", "name": "train_arm", "input": {}, "triggers": ()})
    clock.close()
    clock.close()
    assert [stage for stage, _, _ in spans(list(run.rows(FILE)))] == ["training"]


def test_rows_of_another_shape_are_passed_over() -> None:
    rows = [{"stage": 3, "begun": "a", "ended": "b"}, {"stage": "gate"}, {}]
    assert not list(spans(rows)) and under_way(rows) is None and under_way([]) is None
