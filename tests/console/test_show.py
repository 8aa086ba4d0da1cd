"""The evolution of a strategy at a terminal: a tree with what became of each version, and what each changed."""

import io
from pathlib import Path

from rich.console import Console

from agents.playbook import apply_edits, parse_strategy, with_lift
from console.review import history
from console.show import show_strategy
from graphs.strategies import save_strategy
from records.nouns import Confirmation, Edit, GateResult
from records.rundir import RunDirectory


def gate(accepted: bool, difference: float) -> GateResult:
    return GateResult(
        policy="confirm", accepted=accepted, n=20, wins=3, losses=1, ungraded=0, p_value=0.3, alpha=1.0,
        reason="3 won, 1 lost", difference=difference,
    )  # fmt: skip


def test_the_versions_are_a_tree_with_their_differences_and_the_proof(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    draft = parse_strategy("## Method\n- Look first.\n- Then [count].", name="s")
    good = apply_edits(draft, [Edit(operation="ADD", text="Check the end.", origin=("t/1",))], 1)
    good = with_lift(good, draft, 0.1)
    bad = apply_edits(draft, [Edit(operation="DELETE", bullet_ids=("b1",))], 2)
    better = apply_edits(good, [Edit(operation="REPLACE", bullet_ids=("b2",), text="Then count twice.")], 3)
    save_strategy(run, draft, "draft", note="bullet b9: taken out")
    save_strategy(run, good, "accepted", gate=gate(True, 0.1))
    save_strategy(run, bad, "rejected", gate=gate(False, -0.05))
    save_strategy(run, better, "proved", gate=gate(True, 0.15))
    proof = Confirmation(
        id="confirmation", final_hash=better.hash, start_hash=draft.hash, kept_hash=better.hash, gate=gate(True, 0.15)
    )
    run.append("confirmation.jsonl", [proof])
    target = Console(file=io.StringIO(), width=140)
    show_strategy(target, run, 20)
    printed = target.file.getvalue()  # type: ignore[attr-defined]
    lines = printed.splitlines()
    places = {s.hash: next(line.index(s.hash) for line in lines if s.hash in line) for s in (draft, good, bad, better)}
    assert places[draft.hash] < places[good.hash] == places[bad.hash] < places[better.hash]
    assert f"{bad.hash} · round 2 · rejected · 1 bullets, -5.0 points on 20 items" in printed
    assert "+- Then count twice." in printed and "-- Look first." in printed
    assert "note: bullet b9: taken out" in printed and "Then [count]." in printed
    assert (
        f"The final strategy {better.hash} is proved: 3 won, 1 lost of 20 items that the search never used" in printed
    )


def test_a_bullet_tells_where_it_comes_from() -> None:
    draft = parse_strategy("- Look first.\n- Then count.", name="s")
    added = with_lift(apply_edits(draft, [Edit(operation="ADD", text="New.", origin=("t/1", "t/2"))], 2), draft, 0.125)
    outcomes = {"t/1": "fail", "t/2": "pass", "t/3": "fail"}
    assert [history(one, outcomes) for one in added.bullets] == [
        "", "", "round 2, from 2 attempts (1 fail, 1 pass), gain of its edit +12.5 points",
    ]  # fmt: skip
    reworded = apply_edits(added, [Edit(operation="REPLACE", bullet_ids=("b3",), text="Newer.", origin=("t/3",))], 4)
    told = "round 2, edited in round 4, from 3 attempts (2 fail, 1 pass)"
    assert history(reworded.bullets[2], outcomes) == told
    assert (reworded.bullets[2].id, reworded.bullets[2].created, reworded.bullets[2].lift) == ("b3", 2, None)


def test_versions_that_name_each_other_as_parents_do_not_hang_the_view(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    first = parse_strategy("- One.", name="s")
    second = apply_edits(first, [Edit(operation="ADD", text="Two.")], 1)
    save_strategy(run, first.model_copy(update={"parent": second.hash}), "rejected")
    save_strategy(run, second, "accepted")
    target = Console(file=io.StringIO(), width=140)
    show_strategy(target, run, 20)
    assert second.hash in target.file.getvalue()  # type: ignore[attr-defined]
