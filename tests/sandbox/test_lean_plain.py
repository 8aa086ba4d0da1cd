"""Plain elaboration: what is put to Lean, and how a real Lean's recorded output is read."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from domains.proofs_statements import STATEMENTS
from sandbox.lean import LeanJudge
from sandbox.lean_claims import LeanClaim
from sandbox.lean_lint import blanked, refusal
from sandbox.lean_plain import FORBIDDEN, Page, page, piece, read_facts, unfit
from sandbox.lean_verdict import UNCHECKED, decide
from tests.sandbox.lean_cheats import CHEATS, Cheat
from tests.sandbox.lean_standin import standin
from tests.sandbox.lean_wasm_pages import (
    CHEATS_RECORDED,
    CORE,
    GRADED_WITHOUT_LINT,
    RECORDED,
    UNLINTED,
    cheats_page,
    identity,
    references,
)

OUTPUT = (Path(__file__).parent / "lean_wasm_output.txt").read_text("utf-8")
ENDS = {
    "t1": ("ungraded", None, "were not printed: t1._proof_1_1"),
    "t2": ("ungraded", "kernel", UNCHECKED),
    "t3": ("ungraded", "kernel", UNCHECKED),
    "t4": ("ungraded", None, "the printed proof is missing"),
    "t6": ("rejected", None, "uses sorry"),
    "behind an error": ("ungraded", None, "the statement does not elaborate"),
    "t8": ("rejected", None, "omega could not prove the goal"),
    "t12": ("rejected", None, "uses sorry"),
}


def ends(output: str, sheet: Page) -> dict[str, tuple[str, str | None, str]]:
    verdicts = [decide(facts) for facts in read_facts(output, sheet)]
    return {place.name: (v.verdict, v.grade, v.reason) for place, v in zip(sheet.places, verdicts, strict=True)}


def test_recorded_messages_become_verdicts() -> None:
    found = ends(OUTPUT, RECORDED)
    assert found.keys() == ENDS.keys()
    for name, (verdict, grade, words) in ENDS.items():
        assert found[name][:2] == (verdict, grade) and words in found[name][2], (name, found[name])


def test_recorded_cheats_are_never_proved_and_eight_have_a_grade_that_the_text_takes() -> None:
    """What Lean said of the 57 cheats that can stand on one page, with nothing that reads their text."""
    sheet = cheats_page()
    known, _, output = CHEATS_RECORDED.read_text("utf-8").partition("\n")
    assert json.loads(known)["page"] == identity(sheet), "record it anew: python -m tests.sandbox.lean_wasm_pages"
    verdicts = [decide(facts) for facts in read_facts(output, sheet)]
    assert Counter(verdict.verdict for verdict in verdicts) == {"rejected": 39, "ungraded": 18}
    graded = {cheat.name for cheat, verdict in zip(UNLINTED, verdicts, strict=True) if verdict.grade}
    assert graded == set(GRADED_WITHOUT_LINT)
    kept_out = [cheat for cheat in UNLINTED if cheat.name in graded]
    assert all(refusal(c.proof) or unfit(c.proof) or piece(_claim(c)) is None for c in kept_out)


def _claim(cheat: Cheat) -> LeanClaim:
    return LeanClaim(statement=cheat.statement, proof=cheat.proof)


def test_every_reference_and_no_command_is_put_to_lean() -> None:
    assert len(references()) == len(STATEMENTS)
    assert not [statement.name for statement in STATEMENTS if unfit(statement.proof)]


@pytest.mark.parametrize(
    "proof",
    [
        *("rfl\naxiom lie : False", "rfl\n5axiom lie : False", "by simp (config := {})", 'by exact foo "x"'),
        *("by «sorry»", "rfl\n@[simp] theorem x : True := trivial", "rfl\n#eval 1", "by\n  set_option x true in simp"),
        *("/-/- -/ axiom lie : False -/ -/\nrfl\nmacro", "by exact `x", "by simp +native"),
    ],
)
def test_what_could_hide_or_run_something_is_not_put_to_lean(proof: str) -> None:
    assert unfit(proof)


@pytest.mark.parametrize(
    "proof", ["by omega -- open x", 'by\n  /- def " -/ rfl', "by simp [Nat.add_def, #[1]]", "n % 2"]
)
def test_what_only_looks_like_it_is_put_to_lean(proof: str) -> None:
    assert unfit(proof) is None


def test_lean_reads_no_comments_and_every_line_stays_where_it_was() -> None:
    text = "by -- a\n  /- b /- c\n -/ -/ exact h\n  /- open"
    lines = blanked(text).split("\n")
    assert [line.strip() for line in lines] == ["by", "", "exact h", ""]
    assert [len(line) for line in lines] == [len(line) for line in text.split("\n")]
    one = piece(LeanClaim(statement="theorem t : 1 = 1", proof="by /- x -/ rfl -- y"))
    assert one is not None and "x" not in one.whole and one.alone == "example : 1 = 1 := sorry"


def test_a_proof_that_states_the_theorem_again_is_not_put_to_lean() -> None:
    assert piece(LeanClaim(statement="theorem t : 1 = 2", proof="theorem t : 1 = 1 := rfl")) is None


def test_each_line_is_where_the_page_says() -> None:
    header = CORE._replace(imports=("Init", "Std"), commands="open Nat\nuniverse u")
    sheet = page(header, [one for one in references()[:3]], "lrl_x")
    lines = ["", *sheet.text.splitlines()]
    assert lines[1:4] == ["import Std", "set_option maxHeartbeats 200000", "open Nat"]
    for place in sheet.places:
        assert lines[place.start].startswith("example ") and lines[place.mark].startswith("theorem lrl_x_mark")
        assert lines[place.proof].startswith(f"theorem {place.name} ")
    assert "lrl_x_false" in lines[sheet.false] and "lrl_x_true" in lines[sheet.false + 1]
    assert all(lines[number] == f"#print {name}" for number, name in sheet.prints.items())


def _without(words: str) -> str:
    return "\n".join(line for line in OUTPUT.splitlines() if words not in line)


@pytest.mark.parametrize(
    "output",
    [
        "",
        OUTPUT[: OUTPUT.index("private theorem t3")],  # the process ended early
        _without("omega could not"),  # the false control is not refused
        OUTPUT.replace('"severity":"error"', '"severity":"error', 1),
        OUTPUT.replace('"pos":{', '"pos":null,"x":{', 1),
        OUTPUT.replace('"kind":', '"sort":'),
    ],
)
def test_output_that_is_cut_or_garbled_grades_nothing(output: str) -> None:
    assert {end[:2] for end in ends(output, RECORDED).values()} == {("ungraded", None)}


def test_a_proof_that_is_not_printed_has_no_grade() -> None:
    assert ends(_without("theorem t2 :"), RECORDED)["t2"] == ("ungraded", None, "the printed proof is missing")
    assert ends(OUTPUT.replace("of_eq_true", "⋯"), RECORDED)["t3"][:2] == ("ungraded", None)


def test_what_a_proof_rests_on_is_read_where_it_is_printed() -> None:
    for name in FORBIDDEN:
        found = ends(OUTPUT.replace("@of_decide_eq_true", f"@{name}.{{0}}"), RECORDED)["t2"]
        assert found == ("rejected", None, f"rests on what is not allowed: {name}")
    own = ends(OUTPUT.replace("@of_decide_eq_true", "@_private.proof.0.lie.{0}"), RECORDED)["t2"]
    assert own == ("ungraded", None, "parts of the proof were not printed: lie")
    assert ends(OUTPUT.replace("private theorem t2", "private axiom t2"), RECORDED)["t2"][1] is None


def _message(line: int, severity: str, text: str, kind: str = "[anonymous]") -> str:
    return json.dumps({"severity": severity, "kind": kind, "pos": {"line": line, "column": 0}, "data": text})


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("(deterministic) timeout at `whnf`", "ungraded"),
        ("Note: not unfolded because their definition is not exposed: f", "ungraded"),
        ("Unknown constant `Lean.f._redArg`", "ungraded"),
        ("type mismatch", "rejected"),
    ],
)
def test_a_fault_of_this_lean_is_not_the_proofs(text: str, verdict: str) -> None:
    output = f"{OUTPUT}\n{_message(RECORDED.places[1].proof, 'error', text)}"
    assert ends(output, RECORDED)["t2"][:2] == (verdict, None)


def test_the_judge_never_says_proved_here() -> None:
    """A Lean that prints nothing that can be read: what the text alone decides is all there is."""
    deaf = replace(standin("die"), plain=standin("die").command, start_s=5.0)
    with LeanJudge(deaf, deadline=5) as judge:
        claims = [LeanClaim(statement=cheat.statement, proof=cheat.proof) for cheat in CHEATS]
        verdicts = judge.check(claims)
    assert [v.verdict for v in verdicts] == ["rejected" if refusal(c.proof) else "ungraded" for c in claims]
    assert not any(v.grade for v in verdicts)
