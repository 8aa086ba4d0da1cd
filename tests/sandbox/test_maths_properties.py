"""Metamorphic properties: another way of writing never flips a verdict, another value always does."""

from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.maths_contracts import Contract
from sandbox.maths_judge import judge_pair

AUTO = Contract()
QUICK = settings(max_examples=120, deadline=None, derandomize=True)
numbers = st.fractions(min_value=-10_000, max_value=10_000, max_denominator=400)
small = st.integers(-30, 30)
seeds = st.integers(0, 10**6)
WRAPPINGS = ("{}", "${}$", r"\boxed{{{}}}", r"\({}\)", "The answer is {}.", "#### {}", " {} ", r"\left({}\right)")


def equal(gold: str, answer: str) -> bool:
    verdict, reason = judge_pair(gold, answer, AUTO)
    assert verdict in ("equal", "different"), (gold, answer, reason)
    return verdict == "equal"


def writings(value: Fraction) -> list[str]:
    """Ways to write a rational number."""
    top, bottom = value.numerator, value.denominator
    sign, size = "-" * (top < 0), abs(top)
    found = [f"{top}/{bottom}", rf"\frac{{{top}}}{{{bottom}}}", rf"{sign}\dfrac{{{3 * size}}}{{{3 * bottom}}}"]
    found += [f"−{size}/{bottom}" if sign else f"+{size}/{bottom}", rf"{top} \div {bottom}"]
    if bottom == 1:
        found += [f"{top:,}", f"{top}.0", "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in str(top))]
    if size > bottom > 1:
        found.append(rf"{sign}{size // bottom}\frac{{{size % bottom}}}{{{bottom}}}")
    if set(_prime_factors(bottom)) <= {2, 5}:
        found.append(f"{float(value):.12f}".rstrip("0").rstrip(".") if bottom < 3000 else found[0])
    return found


def _prime_factors(value: int) -> list[int]:
    found, prime = [], 2
    while value > 1:
        while value % prime == 0:
            found.append(prime)
            value //= prime
        prime += 1
    return found


class TestNumbers:
    @QUICK
    @given(numbers, seeds)
    def test_reformatting_never_flips(self, value: Fraction, seed: int) -> None:
        rng = Random(seed)
        gold, answer = rng.choice(writings(value)), rng.choice(writings(value))
        assert equal(gold, rng.choice(WRAPPINGS).format(answer))

    @QUICK
    @given(numbers, st.sampled_from((1, -1)), seeds)
    def test_one_more_or_less_always_rejects(self, value: Fraction, step: int, seed: int) -> None:
        rng = Random(seed)
        gold, answer = rng.choice(writings(value)), rng.choice(writings(value + step))
        assert not equal(gold, rng.choice(WRAPPINGS).format(answer))

    @QUICK
    @given(numbers, numbers)
    def test_agrees_with_exact_arithmetic(self, first: Fraction, second: Fraction) -> None:
        assert equal(writings(first)[1], writings(second)[0]) == (first == second)

    @QUICK
    @given(st.integers(1, 200), st.integers(1, 9))
    def test_tiny_and_huge_differences_count(self, exponent: int, digit: int) -> None:
        assert not equal(f"1+{digit}\\cdot 10^{{-{exponent}}}", "1")
        assert not equal(f"10^{{{exponent}}}", f"10^{{{exponent}}}+{digit}")


def expression(rng: Random, depth: int = 3) -> tuple[str, str]:
    """An expression in x and y, and the same one with its sums and products turned around."""
    if depth == 0 or rng.random() < 0.2:
        leaf = rng.choice(("x", "y", str(rng.randint(1, 9)), r"\sqrt{2}", r"\pi"))
        return leaf, leaf
    (a, b), (c, d) = expression(rng, depth - 1), expression(rng, depth - 1)
    kind = rng.choice(("+", "-", "*", "/", "^"))
    if kind == "+":
        return f"({a} + {c})", f"({d} + {b})"
    if kind == "-":
        return f"({a} - {c})", rf"\left(-{d} + {b}\right)"
    if kind == "*":
        return f"(({a})({c}))", rf"({d} \cdot {b})"
    if kind == "/":
        return rf"\frac{{{a}}}{{7 + ({c})^2}}", rf"(({b})/(({d})^2 + 7))"
    return f"(({a})^2)", rf"(({b}) \times ({b}))"


class TestExpressions:
    @QUICK
    @given(seeds)
    def test_commuting_never_flips(self, seed: int) -> None:
        first, second = expression(Random(seed))
        assert equal(first, second)

    @QUICK
    @given(seeds, st.sampled_from(("+ 1", "- 1")))
    def test_one_more_or_less_always_rejects(self, seed: int, step: str) -> None:
        first, second = expression(Random(seed))
        assert not equal(first, f"{second} {step}")


class TestRescaling:
    @QUICK
    @given(small, small, small, st.integers(2, 9))
    def test_equations(self, a: int, b: int, c: int, factor: int) -> None:
        a, b = a or 1, b or 2
        gold = f"{a}x + {b}y = {c}"
        assert equal(gold, f"{-factor * b}y + {-factor * a}x = {-factor * c}")
        assert equal(gold, f"{a}x + {b}y - {c} = 0".replace("- -", "+ "))
        assert not equal(gold, f"{factor * a}x + {factor * b}y = {factor * c + 1}")

    @QUICK
    @given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 9))
    def test_ratios_and_units(self, a: int, b: int, factor: int) -> None:
        scaled = judge_pair(f"{a}:{b}", f"{factor * a}:{factor * b}", AUTO)[0]
        may_be_a_time = a <= 24 and 10 <= b <= 59  # then it is no ratio, and no multiple of it is the same
        assert scaled == "equal" if not may_be_a_time else scaled in ("equal", "unknown")
        assert not equal(f"{a}:{b}", f"{a + 1}:{b}")
        assert equal(rf"{a}\text{{ m}}", rf"{100 * a}\text{{ cm}}")
        assert not equal(rf"{a}\text{{ m}}", rf"{100 * a + 1}\text{{ cm}}")

    @QUICK
    @given(st.integers(-20, 20), st.integers(2, 9))
    def test_inequalities(self, bound: int, factor: int) -> None:
        assert equal(f"x > {bound}", f"{factor}x > {factor * bound}")
        assert equal(f"x > {bound}", f"-{factor}x < {-factor * bound}")
        assert equal(f"x > {bound}", rf"({bound}, \infty)")
        assert not equal(f"x > {bound}", f"-{factor}x > {-factor * bound}")
        assert not equal(f"x > {bound}", f"x > {bound + 1}")


class TestCollections:
    @QUICK
    @given(st.lists(small, min_size=2, max_size=5, unique=True), seeds)
    def test_order_counts_in_tuples_only(self, values: list[int], seed: int) -> None:
        shuffled = Random(seed).sample(values, len(values))
        as_set, as_tuple = r"\{{{}\}}", "({})"
        left, right = ", ".join(map(str, values)), ", ".join(map(str, shuffled))
        assert equal(as_set.format(left), as_set.format(right))
        assert equal(left, right)
        assert equal(as_tuple.format(left), as_tuple.format(right)) == (values == shuffled)
        changed = ", ".join(map(str, [*values[:-1], values[-1] + 100]))
        assert not equal(as_set.format(left), as_set.format(changed))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(alphabet=r"0123456789xyeiC+-*/^_=<>()[]{}|\,;:!%$. √∞π\{\frac\sqrt\text", max_size=60))
def test_any_text_gets_a_verdict(text: str) -> None:
    for gold in ("3", "(1,2)", "x>1", r"\text{odd}"):
        assert judge_pair(gold, text, AUTO)[0] in ("equal", "different", "unknown")
    assert judge_pair(text, text, AUTO)[0] in ("equal", "unknown")
