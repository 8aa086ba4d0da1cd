"""How well a judge agrees with a verifier on the same replies: accuracy and Cohen's kappa with intervals.

Guaranteed: replies that the judge could not grade are counted and in no figure. Not guaranteed: that the
agreement is the same in another domain; it is measured where there is a verifier, and hoped for elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.llm_judge import Agreement
from evaluation.intervals import Interval, wilson

Pair = tuple[bool, bool | None]  # what the verifier says, what the judge says; None: ungraded


def measure_agreement(pairs: Sequence[Pair], judge: str, identity: str, domain: str) -> Agreement:
    """Figures of one judge. One pair per problem, so that pairs are independent."""
    graded = [(truth, said) for truth, said in pairs if said is not None]
    cells = {key: graded.count(key) for key in ((True, True), (False, False), (False, True), (True, False))}
    same, n = cells[True, True] + cells[False, False], len(graded)
    kappa, interval = cohens_kappa(
        cells[True, True], cells[False, False], judge_only=cells[False, True], verifier_only=cells[True, False]
    )
    return Agreement(
        judge=judge,
        identity=identity,
        domain=domain,
        both_pass=cells[True, True],
        both_fail=cells[False, False],
        judge_only=cells[False, True],
        verifier_only=cells[True, False],
        ungraded=len(pairs) - n,
        accuracy=same / n if n else None,
        accuracy_ci95=wilson(same, n),
        kappa=kappa,
        kappa_ci95=interval,
    )


def cohens_kappa(
    both_pass: int, both_fail: int, judge_only: int, verifier_only: int
) -> tuple[float | None, Interval | None]:
    """Cohen's kappa with a 95% interval; None where chance alone would agree on everything.

    The interval is the wider on each side of two: the asymptotic one (Fleiss, Cohen and Everitt 1969, as
    statsmodels has it), which collapses to a point at perfect agreement, and Wilson's interval of the observed
    agreement p carried through kappa = (p - e) / (1 - e) with the chance agreement e taken as known.
    """
    from statsmodels.stats.inter_rater import cohens_kappa as asymptotic

    n = both_pass + both_fail + judge_only + verifier_only
    if not n:
        return None, None
    right, said = (both_pass + verifier_only) / n, (both_pass + judge_only) / n
    chance = right * said + (1 - right) * (1 - said)
    if chance == 1:
        return None, None
    with np.errstate(invalid="ignore"):  # of a judge that always says the same it also divides 0 by 0
        found = asymptotic(np.array([[both_pass, verifier_only], [judge_only, both_fail]]))
    low, high = ((share - chance) / (1 - chance) for share in wilson(both_pass + both_fail, n) or (0.0, 1.0))
    bounds = [float(value) for value in (found.kappa_low, found.kappa_upp) if np.isfinite(value)]
    return float(found.kappa), (min([low, *bounds]), min(1.0, max([high, *bounds])))
