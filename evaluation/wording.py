"""Sentences of the report: what was found, what caused it, and what it does not show.

Guaranteed: each sentence is put together from the summary's figures; a gain whose interval
includes 0 is never called an effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation import verdicts

Json = Mapping[str, Any]
ARM_WORDS = {
    "base": "untrained",
    "base+strategy": "untrained, with the strategy in its prompt",
    "lora_plain": "trained on verified solutions without a strategy",
    "lora_strategy": "trained and tested with the strategy in its prompt",
    "lora_distilled": "trained on solutions that the teacher wrote with the strategy",
    "teacher": "the teacher",
}


def percent(value: float | None) -> str:
    """A share as text, "–" where there is none."""
    return "–" if value is None else f"{value:.1%}".replace("-", "−")


def points(value: float | None) -> str:
    """A difference of shares in percentage points."""
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def span(interval: Sequence[float] | None, signed: bool = False) -> str:
    """An interval as text, in percent or in signed points."""
    if interval is None:
        return "–"
    form = points if signed else percent
    return f"{form(interval[0])} to {form(interval[1])}"


def p_text(value: float | None) -> str:
    """A p-value as text."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def finding(summary: Json) -> str:
    """The report's first sentence: what was found on the test split and what caused it."""
    test, arm = summary["splits"].get("test"), summary["headline_arm"]
    if not test or not arm:
        return "Nothing can be said of the student: no trained arm was graded on the test split."
    after = test["arms"][arm]
    solves = f"{ARM_WORDS.get(arm, arm)}, the student solves {percent(after['accuracy'])} of the test problems"
    solves = f"{solves} ({after['correct']} of {after['n']})"
    if summary["verdict"] == verdicts.BELOW:
        constant = test["constant_baseline"]
        return (
            f"The student learned no more than a constant answer gives: {solves}, "
            f"and always answering {constant['class']} solves {percent(constant['accuracy'])}{_before(test)}."
        )
    return f"{_opening(summary)}: {solves}{_change(test, arm)}; {cause(summary)}."


def cause(summary: Json) -> str:
    """What the change is due to, as the control arms show it."""
    test, arm = summary["splits"]["test"], summary["headline_arm"]
    if summary["verdict"] != verdicts.IMPROVED:
        return "so nothing is claimed about causes"
    parts = test["attribution"].get(arm)
    if arm == "base+strategy":
        return "the strategy in the prompt is the cause, as nothing was trained"
    if arm == "lora_plain":
        return "training on verified solutions is the cause, as no strategy was used"
    if parts is None:
        return "training and strategy cannot be told apart, because the arm without a strategy is missing"
    return (
        f"plain training on verified solutions explains {points(parts['training']['value'])} points of this, "
        f"and the strategy {points(parts['strategy']['value'])} ({_effect(test, arm, parts['strategy'])})"
    )


def _effect(test: Json, arm: str, part: Json) -> str:
    """The interval, and that no effect is shown unless the exact test agrees with it."""
    found = next((row for row in test["comparisons"] if (row["a"], row["b"]) == (arm, "lora_plain")), None)
    interval = f"interval {span(part['ci95'], signed=True)}"
    if part["ci95"][1] < 0:
        return f"{interval}: it did harm"
    return interval if found and verdicts.is_shown(found) else f"{interval}: no effect of it is shown"


def _opening(summary: Json) -> str:
    domain = summary["domain"]
    return {
        verdicts.IMPROVED: f"The student got better at {domain}",
        verdicts.WORSE: f"The student got worse at {domain}",
    }.get(summary["verdict"], f"An improvement at {domain} is not shown")


def _before(test: Json) -> str:
    base = test["arms"].get("base")
    return f" (untrained, it solved {percent(base['accuracy'])})" if base and base["n"] else ""


def _change(test: Json, arm: str) -> str:
    found = next((row for row in test["comparisons"] if (row["a"], row["b"]) == (arm, "base") and row["n"]), None)
    base = test["arms"].get("base")
    if found is None or base is None:
        return ""
    interval = span(found["ci95"], signed=True)
    return f", untrained {percent(base['accuracy'])} ({points(found['difference'])} points, 95% interval {interval})"


def strategy_line(strategy: Json) -> str:
    """One sentence on the strategy's test on other models."""
    words = strategy["verdict_by_validator"]
    if not words:
        return "The strategy was not tested on any validator model."
    each = ", ".join(f"{model}: {word}" for model, word in words.items())
    proofs = strategy.get("confirmation", [])
    kept = any(entry["accepted"] for entry in strategy["gate"]) and all(entry["gate"]["accepted"] for entry in proofs)
    verdict = {
        verdicts.SUPPORTED: "the strategy is supported by every validator model",
        verdicts.HARMFUL: "the strategy is harmful to a validator model",
    }.get(strategy["verdict"], "that the strategy helps is not shown on every validator model")
    return f"Zero-shot, {verdict} ({each}).{_begun_with(strategy, kept)}"


def _begun_with(strategy: Json, kept: bool) -> str:
    """What the strategy is or was edited from, where that is not plain from its table."""
    if strategy.get("begun_with_seed"):
        return _FROM_SEED if kept else _SEED
    return "" if kept else _UNCHANGED


_UNCHANGED = " No edit passed the gate and its proof, so it is the teacher's first draft, or a rewording of it."
_NO_DRAFT = " The teacher wrote no first strategy that could be read and could stand"
_FROM_SEED = f"{_NO_DRAFT}: its edits began with the domain's own seed strategy."
_SEED = f"{_NO_DRAFT}, and no edit passed the gate and its proof, so it is the domain's own seed strategy."


def teacher_line(models: Json) -> str:
    """Says plainly when the teacher is no language model."""
    teacher = models.get("teacher") or {}
    if teacher.get("is_language_model") is False:
        return (
            f"The teacher ({teacher.get('spec')}) is not a language model: it is scripted and answers from the "
            "domain's own reference solutions, so this run shows the method and the student, not a teacher's insight."
        )
    if "specs" in teacher:
        return _teachers_line(teacher)
    return f"The teacher is {teacher.get('spec', 'unknown')}."


def _teachers_line(teacher: Json) -> str:
    *others, last = teacher["specs"]
    shared = {
        "round_robin": "each problem went to one of them in turn",
        "vote": "each was asked every problem, and the replies that the verifier accepted counted",
    }[teacher["teaching"]]
    return (
        f"The teachers are {', '.join(others)} and {last}: {shared}; the strategy and the reflections were written by "
        f"{teacher['writer']} alone."
    )


def teachers_apart(summary: Json) -> str:
    """How often each of several teachers was right, "" for one."""
    lines = []
    for split, figures in summary["splits"].items():
        each = [f"{name} {row['correct']} of {row['n']}" for name, row in figures.get("teachers", {}).items()]
        lines += [f"{split}: {', '.join(each)} right"] if each else []
    return f" On {'; on '.join(lines)}." if lines else ""


def limits(summary: Json) -> list[str]:
    """What a reader must know before believing more than was measured."""
    found = []
    if (summary["models"].get("teacher") or {}).get("is_language_model") is False:
        found.append(teacher_line(summary["models"]))
    found += _judge_limits(summary["models"].get("judge"))
    found += _seed_limits(summary)
    found += _validator_limits(summary)
    found += _count_limits(summary)
    found.append(_tier_limit(summary["tier"]))
    near = next(
        (o for o in summary["leaks"]["overlaps"] if (o["text"], o["a"], o["b"]) == ("prompt", "train", "test")), None
    )
    if near and near["near"]:
        found.append(
            f"{near['near']} of {near['items']} test prompts are alike to a training prompt but for their parameters: "
            "the test split measures the same families again; only ood measures new ones."
        )
    if "ood" not in summary["splits"]:
        found.append("No out-of-distribution problems were evaluated.")
    return found


def _judge_limits(judge: Json | None) -> list[str]:
    """That a model judged, and how far it can be believed."""
    if judge is None:
        return []
    kappa, low = judge["kappa"], judge["kappa_ci95"][0]
    return [
        f"No program judged the replies but a model ({judge['judge']}). On {judge['n']} replies of the domain "
        f"{judge['domain']} its verdicts agreed with a verifier's with Cohen's kappa {kappa:.2f} (at least {low:.2f}); "
        "in this domain its agreement with the truth is not known."
    ]


def _seed_limits(summary: Json) -> list[str]:
    arms = summary["splits"].get("test", {}).get("arms", {})
    seeds = {arm: len(figures["seeds"]) for arm, figures in arms.items() if arm.startswith("lora_")}
    if not seeds or min(seeds.values()) > 1:
        return []
    return ["Trained with a single seed: the intervals cover the choice of problems, not the luck of one training run."]


def _validator_limits(summary: Json) -> list[str]:
    validators = summary["models"].get("validators") or []
    families = {entry.get("family") or entry.get("spec") for entry in validators}
    if not validators:
        return ["No validator model was used."]
    if len(families) < 2:
        return ["All validators are of one model family: that the strategy helps other families is not tested."]
    return []


def _count_limits(summary: Json) -> list[str]:
    found = []
    for split, figures in summary["splits"].items():
        for word, meaning in (
            ("ungraded", "could not be judged and are left out"),
            ("truncated", "were cut at the token limit"),
        ):
            counts = {arm: row[word] for arm, row in figures["arms"].items() if row[word]}
            if counts:
                listed = ", ".join(f"{arm} {count}" for arm, count in counts.items())
                found.append(f"On {split}, some replies {meaning}: {listed}.")
    return found


def _tier_limit(tier: str | None) -> str:
    if tier is None:
        return "No code was executed to judge replies."
    if tier == "docker":
        return "Code was judged in containers (tier docker)."
    return f"Code was judged in the tier '{tier}', which separates less than containers do."
