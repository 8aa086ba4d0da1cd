"""The words that a report may use, and the rules that give them.

`improved` and `worse` need two things at once: a paired bootstrap interval on one side of 0 and an
exact McNemar test below 0.05, because the bootstrap alone is too sure of itself on few items.
`harmful`, which warns of a strategy, needs the interval only: the cautious side differs with the
word. A student whose accuracy does not exceed that of the best constant answer is `below the
constant baseline`, whatever else is true; one that exceeds it only by what chance may give has
`not shown` that it improved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

IMPROVED, NOT_SHOWN, WORSE, BELOW = "improved", "not shown", "worse", "below the constant baseline"
SUPPORTED, HARMFUL = "supported", "harmful"
REQUIRED = ("none", "placebo", "one_shot")  # arms that a learned strategy must beat
HEADLINE_ORDER = ("lora_distilled", "lora_strategy", "lora_plain", "base+strategy")
ALPHA = 0.05

Figures = Mapping[str, Any]


def headline_arm(arms: Mapping[str, Figures]) -> str | None:
    """The student arm that the verdict is about: the first of a fixed order that was graded.

    Chosen by name and never by score, so that no arm is picked because it happened to do well.
    """
    return next((arm for arm in HEADLINE_ORDER if arms.get(arm, {}).get("n")), None)


def is_shown(comparison: Figures) -> bool:
    """The gain of `a` over `b` is shown, uncorrected: for a comparison that was fixed beforehand."""
    return _above(comparison["ci95"]) and comparison["p"] < ALPHA


def is_shown_holm(comparison: Figures) -> bool:
    """The gain of `a` over `b` is shown after Holm's correction."""
    return _above(comparison["ci_holm"]) and comparison["p_holm"] < ALPHA


def is_harm(comparison: Figures) -> bool:
    """The whole interval lies below 0."""
    return comparison["ci95"] is not None and comparison["ci95"][1] < 0


def student_verdict(
    figures: Figures | None, comparison: Figures | None, constant: Figures | None, against: Figures | None
) -> tuple[str, str]:
    """Verdict word and reason for the headline arm.

    `figures` are the arm's, `comparison` is arm against base, `constant` the best constant answer
    and `against` the arm against it; the last two are None where the answer is no class.
    """
    if figures is None or figures["accuracy"] is None:
        return NOT_SHOWN, "no student arm was graded"
    if constant is not None and figures["accuracy"] <= constant["accuracy"]:
        return BELOW, (
            f"always answering {constant['class']} solves {constant['accuracy']:.1%}, "
            f"the student {figures['accuracy']:.1%}"
        )
    if comparison is None or comparison["difference"] is None:
        return NOT_SHOWN, "there are no graded replies of the base model to compare with"
    if against is not None and not is_shown(against) and is_shown(comparison):
        return NOT_SHOWN, "the lead over the best constant answer may be chance"
    return _against_base(comparison)


def _against_base(comparison: Figures) -> tuple[str, str]:
    if is_shown(comparison):
        return IMPROVED, "the interval of the difference to the base model lies above 0 and the exact test agrees"
    if is_harm(comparison) and comparison["p"] < ALPHA:
        return WORSE, "the interval of the difference to the base model lies below 0 and the exact test agrees"
    return NOT_SHOWN, "the difference to the base model may be chance"


def strategy_verdict(comparisons: Sequence[Figures]) -> tuple[str, str]:
    """Verdict word and reason for a learned strategy on one model.

    `comparisons` are learned against each of REQUIRED, corrected together by Holm's method.
    """
    found = {row["b"]: row for row in comparisons if row["a"] == "learned" and row["n"]}
    if "none" in found and is_harm(found["none"]):
        return HARMFUL, "the model solves fewer problems with the strategy than with none"
    missing = [arm for arm in REQUIRED if arm not in found]
    if missing:
        return NOT_SHOWN, f"no graded replies to compare with: {', '.join(missing)}"
    failed = [arm for arm in REQUIRED if not is_shown_holm(found[arm])]
    if failed:
        return NOT_SHOWN, f"no gain shown over: {', '.join(failed)}"
    return SUPPORTED, f"better than {', '.join(REQUIRED)}, each with an interval above 0 after Holm's correction"


def overall_strategy_verdict(by_validator: Mapping[str, str]) -> str:
    """Harmful to one is harmful; supported only if every validator supports it."""
    words = set(by_validator.values())
    if HARMFUL in words:
        return HARMFUL
    return SUPPORTED if words == {SUPPORTED} else NOT_SHOWN


def _above(interval: Sequence[float] | None) -> bool:
    return interval is not None and interval[0] > 0
