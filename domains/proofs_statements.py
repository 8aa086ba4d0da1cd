"""Statements that core Lean 4 proves without Mathlib, each with a reference proof.

A line of a proof is a step; `KK` stands for a parameter (a number), `LL` for that number plus one. What was really
checked, with which Lean, stands in tests/sandbox/lean_fixtures/references.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from records.nouns import Difficulty

Area = Literal[
    "logic", "quantifiers", "arithmetic", "remainders", "sequences", "lists", "computation", "functions", "integers", "pairs"
]
OOD: frozenset[Area] = frozenset({"functions", "integers", "pairs"})


@dataclass(frozen=True)
class Statement:
    """A theorem and its proof: what stands behind `theorem`, and the lines behind `by`."""

    name: str
    area: Area
    difficulty: Difficulty
    claim: str
    steps: tuple[str, ...]

    @property
    def text(self) -> str:
        """The statement as Lean reads it, without a proof."""
        return f"theorem {self.name} {self.claim}"

    @property
    def proof(self) -> str:
        """The reference proof."""
        return "\n".join(("by", *(f"  {step}" for step in self.steps)))


_TABLE = """
# logic easy
and_swap | (p q : Prop) (h : p ∧ q) : q ∧ p | constructor; · exact h.2; · exact h.1
or_swap | (p q : Prop) (h : p ∨ q) : q ∨ p | cases h with; | inl hp => exact Or.inr hp; | inr hq => exact Or.inl hq
imp_chain | (p q r : Prop) (hpq : p → q) (hqr : q → r) : p → r | intro hp; exact hqr (hpq hp)
contrapose | (p q : Prop) (h : p → q) : ¬q → ¬p | intro hq hp; exact hq (h hp)
not_not_of | (p : Prop) (hp : p) : ¬¬p | intro h; exact h hp
regroup_and | (p q r : Prop) : (p ∧ q) ∧ r → p ∧ (q ∧ r) | intro h; exact ⟨h.1.1, h.1.2, h.2⟩
two_premises | (p q r : Prop) (h : p ∧ q → r) : p → q → r | intro hp hq; exact h ⟨hp, hq⟩
one_premise | (p q r : Prop) (h : p → q → r) : p ∧ q → r | intro hpq; exact h hpq.1 hpq.2
iff_turn | (p q : Prop) (h : p ↔ q) : q ↔ p | constructor; · exact h.2; · exact h.1
from_false | (p q : Prop) (hp : p) (hn : ¬p) : q | exact absurd hp hn
and_self_of | (p : Prop) (hp : p) : p ∧ p | exact ⟨hp, hp⟩
or_of_left | (p q r : Prop) (h : p) : p ∨ q ∨ r | exact Or.inl h
# logic medium
regroup_or | (p q r : Prop) : (p ∨ q) ∨ r → p ∨ (q ∨ r) | intro h; rcases h with (hp | hq) | hr; · exact Or.inl hp; · exact Or.inr (Or.inl hq); · exact Or.inr (Or.inr hr)
neither | (p q : Prop) (h : ¬(p ∨ q)) : ¬p ∧ ¬q | constructor; · exact fun hp => h (Or.inl hp); · exact fun hq => h (Or.inr hq)
not_both | (p q : Prop) (h : ¬p ∨ ¬q) : ¬(p ∧ q) | intro hpq; cases h with; | inl hp => exact hp hpq.1; | inr hq => exact hq hpq.2
iff_chain | (p q r : Prop) (h : p ↔ q) (k : q ↔ r) : p ↔ r | constructor; · exact fun hp => k.1 (h.1 hp); · exact fun hr => h.2 (k.2 hr)
spread_and | (p q r : Prop) (h : p ∧ (q ∨ r)) : (p ∧ q) ∨ (p ∧ r) | cases h.2 with; | inl hq => exact Or.inl ⟨h.1, hq⟩; | inr hr => exact Or.inr ⟨h.1, hr⟩
spread_or | (p q r : Prop) (h : p ∨ (q ∧ r)) : (p ∨ q) ∧ (p ∨ r) | cases h with; | inl hp => exact ⟨Or.inl hp, Or.inl hp⟩; | inr hqr => exact ⟨Or.inr hqr.1, Or.inr hqr.2⟩
not_self_iff | (p : Prop) : ¬(p ↔ ¬p) | intro h; have hn : ¬p := fun hp => h.1 hp hp; exact hn (h.2 hn)
# logic hard
of_not_not | (p : Prop) (h : ¬¬p) : p | apply Classical.byContradiction; intro hn; exact h hn
peirce_law | (p q : Prop) (h : (p → q) → p) : p | cases Classical.em p with; | inl hp => exact hp; | inr hn => exact h (fun hp => absurd hp hn)
either_way | (p q : Prop) : (p → q) ∨ (q → p) | cases Classical.em q with; | inl hq => exact Or.inl (fun _ => hq); | inr hn => exact Or.inr (fun hq => absurd hq hn)
one_fails | (p q : Prop) (h : ¬(p ∧ q)) : ¬p ∨ ¬q | cases Classical.em p with; | inl hp => exact Or.inr (fun hq => h ⟨hp, hq⟩); | inr hn => exact Or.inl hn
# quantifiers medium
some_fails | (P : Nat → Prop) (h : ∃ x, ¬P x) : ¬∀ x, P x | intro hall; obtain ⟨x, hx⟩ := h; exact hx (hall x)
none_holds | (P : Nat → Prop) (h : ¬∃ x, P x) : ∀ x, ¬P x | intro x hx; exact h ⟨x, hx⟩
all_split | (P Q : Nat → Prop) (h : ∀ x, P x ∧ Q x) : (∀ x, P x) ∧ (∀ x, Q x) | constructor; · exact fun x => (h x).1; · exact fun x => (h x).2
some_split | (P Q : Nat → Prop) (h : ∃ x, P x ∨ Q x) : (∃ x, P x) ∨ (∃ x, Q x) | obtain ⟨x, hx⟩ := h; cases hx with; | inl hp => exact Or.inl ⟨x, hp⟩; | inr hq => exact Or.inr ⟨x, hq⟩
some_and | (P : Nat → Prop) (q : Prop) (h : ∃ x, P x ∧ q) : q | obtain ⟨x, hx⟩ := h; exact hx.2
all_to_some | (P : Nat → Prop) (h : ∀ x, P x) : ∃ x, P x | exact ⟨0, h 0⟩
swap_all | (R : Nat → Nat → Prop) (h : ∀ x, ∀ y, R x y) : ∀ y, ∀ x, R x y | intro y x; exact h x y
swap_some | (R : Nat → Nat → Prop) (h : ∃ x, ∃ y, R x y) : ∃ y, ∃ x, R x y | obtain ⟨x, y, hxy⟩ := h; exact ⟨y, x, hxy⟩
# quantifiers hard
some_all | (R : Nat → Nat → Prop) (h : ∃ x, ∀ y, R x y) : ∀ y, ∃ x, R x y | intro y; obtain ⟨x, hx⟩ := h; exact ⟨x, hx y⟩
not_all | (P : Nat → Prop) (h : ¬∀ x, P x) : ∃ x, ¬P x | apply Classical.byContradiction; intro hn; apply h; intro x; apply Classical.byContradiction; intro hx; exact hn ⟨x, hx⟩
chain_all | (P : Nat → Prop) (h0 : P 0) (hs : ∀ n, P n → P (n + 1)) (n : Nat) : P n | induction n with; | zero => exact h0; | succ n ih => exact hs n ih
square_is [3 5 7 11] | : ∃ n : Nat, n * n = KK * KK | exact ⟨KK, rfl⟩
beyond [4 9 20 100] | : ∃ n : Nat, KK < n | exact ⟨LL, by decide⟩
# arithmetic easy
swap_sum [2 3 4 5 6 7 8 9] | (n : Nat) : n + KK = KK + n | omega
grows [1 2 3 5 8 13] | (n : Nat) : n < n + KK | omega
take_and_give [2 3 4 6 7 9] | (n : Nat) (h : KK ≤ n) : n - KK + KK = n | omega
cancel_sum [2 4 5 7 9 12] | (a b : Nat) (h : a + KK = b + KK) : a = b | omega
part_of_sum [5 8 10 15 21 30] | (a b : Nat) (h : a + b = KK) : a ≤ KK | omega
twice | (n : Nat) : n + n = 2 * n | omega
le_both_ways | (a b : Nat) (h : a ≤ b) (k : b ≤ a) : a = b | exact Nat.le_antisymm h k
lt_chain | (a b c : Nat) (h : a < b) (k : b < c) : a < c | exact Nat.lt_trans h k
smaller_of_two | (a b : Nat) : min a b ≤ a | exact Nat.min_le_left a b
# arithmetic medium
scaled [2 3 4 5 6 7] | (a b : Nat) (h : a < b) : KK * a < KK * b | omega
next_to [3 6 10 14 20 41] | (n : Nat) (h : KK ≤ n) (k : n < LL) : n = KK | omega
spread_product | (a b c : Nat) : (a + b) * c = a * c + b * c | exact Nat.add_mul a b c
le_product | (m n : Nat) (h : 0 < n) : m ≤ m * n | exact Nat.le_mul_of_pos_right m h
one_is_less | (a b : Nat) (h : a ≠ b) : a < b ∨ b < a | omega
sum_is_zero | (a b : Nat) (h : a + b = 0) : a = 0 ∧ b = 0 | omega
two_unknowns [1 2 3 4 5 6] | (x y : Nat) (h : x + y = 20) (k : x = y + 2 * KK) : x = 10 + KK | omega
# arithmetic hard
square_of_next | (n : Nat) : (n + 1) * (n + 1) = n * n + 2 * n + 1 | rw [Nat.add_mul, Nat.mul_add]; omega
add_zero_left | (n : Nat) : 0 + n = n | induction n with; | zero => rfl; | succ n ih => rw [← Nat.add_assoc, ih]
mul_zero_left | (n : Nat) : 0 * n = 0 | induction n with; | zero => rfl; | succ n ih => rw [Nat.mul_succ, ih]
power_positive [2 3 5 7] | (n : Nat) : 0 < KK ^ n | induction n with; | zero => decide; | succ n ih =>;   rw [Nat.pow_succ];   omega
# remainders medium
below_divisor [2 3 4 5 7 10] | (n : Nat) : n % KK < KK | omega
put_together [2 3 5 6 9 10] | (n : Nat) : KK * (n / KK) + n % KK = n | omega
quotient_small [2 3 4 8 9 12] | (n : Nat) : n / KK ≤ n | omega
never_equal | (a b : Nat) : 2 * a ≠ 2 * b + 1 | omega
one_of_two_even | (n : Nat) : n % 2 = 0 ∨ (n + 1) % 2 = 0 | omega
three_cases | (n : Nat) : n % 3 = 0 ∨ n % 3 = 1 ∨ n % 3 = 2 | omega
sum_of_multiples [2 3 4 5 7 9] | (a b : Nat) (h : a % KK = 0) (k : b % KK = 0) : (a + b) % KK = 0 | omega
odd_and_odd | (a b : Nat) (h : a % 2 = 1) (k : b % 2 = 1) : (a + b) % 2 = 0 | omega
divides_multiple [2 3 5 8 10 12] | (n : Nat) : KK ∣ KK * n | exact ⟨n, rfl⟩
# remainders hard
divides_sum | (d a b : Nat) (ha : d ∣ a) (hb : d ∣ b) : d ∣ a + b | obtain ⟨x, hx⟩ := ha; obtain ⟨y, hy⟩ := hb; exact ⟨x + y, by rw [hx, hy, Nat.mul_add]⟩
divides_chain | (a b c : Nat) (h : a ∣ b) (k : b ∣ c) : a ∣ c | obtain ⟨x, hx⟩ := h; obtain ⟨y, hy⟩ := k; exact ⟨x * y, by rw [hy, hx, Nat.mul_assoc]⟩
divides_product | (a b c : Nat) (h : a ∣ b) : a ∣ b * c | obtain ⟨x, hx⟩ := h; exact ⟨x * c, by rw [hx, Nat.mul_assoc]⟩
# sequences medium
rises | (f : Nat → Nat) (h : ∀ n, f n ≤ f (n + 1)) (n : Nat) : f 0 ≤ f n | induction n with; | zero => exact Nat.le_refl _; | succ n ih => exact Nat.le_trans ih (h n)
falls | (f : Nat → Nat) (h : ∀ n, f (n + 1) ≤ f n) (n : Nat) : f n ≤ f 0 | induction n with; | zero => exact Nat.le_refl _; | succ n ih => exact Nat.le_trans (h n) ih
stays [2 5 9] | (f : Nat → Nat) (h0 : f 0 = KK) (h : ∀ n, f (n + 1) = f n) (n : Nat) : f n = KK | induction n with; | zero => exact h0; | succ n ih => rw [h n, ih]
counts | (f : Nat → Nat) (h0 : f 0 = 0) (h : ∀ n, f (n + 1) = f n + 1) (n : Nat) : f n = n | induction n with; | zero => exact h0; | succ n ih => rw [h n, ih]
# sequences hard
steady [2 3 4 5 6 7 8] | (f : Nat → Nat) (h0 : f 0 = 1) (h : ∀ n, f (n + 1) = f n + KK) (n : Nat) : f n = 1 + KK * n | induction n with; | zero => omega; | succ n ih =>;   have step := h n;   omega
at_least | (f : Nat → Nat) (h : ∀ n, f n < f (n + 1)) (n : Nat) : n ≤ f n | induction n with; | zero => exact Nat.zero_le _; | succ n ih =>;   have step := h n;   omega
stays_positive [2 3 4 6] | (f : Nat → Nat) (h0 : f 0 = 1) (h : ∀ n, f (n + 1) = KK * f n) (n : Nat) : 0 < f n | induction n with; | zero => omega; | succ n ih =>;   have step := h n;   omega
stays_multiple [2 3 4 5] | (f : Nat → Nat) (h0 : f 0 = 0) (h : ∀ n, f (n + 1) = f n + KK) (n : Nat) : f n % KK = 0 | induction n with; | zero => omega; | succ n ih =>;   have step := h n;   omega
triangle | (f : Nat → Nat) (h0 : f 0 = 0) (h : ∀ n, f (n + 1) = f n + (n + 1)) (n : Nat) : 2 * f n = n * (n + 1) | induction n with; | zero => simp [h0]; | succ n ih => rw [h, Nat.mul_add, ih, ← Nat.add_mul, Nat.mul_comm]
odd_squares | (f : Nat → Nat) (h0 : f 0 = 0) (h : ∀ n, f (n + 1) = f n + (2 * n + 1)) (n : Nat) : f n = n * n | induction n with; | zero => exact h0; | succ n ih =>;   rw [h, ih, Nat.add_mul, Nat.mul_add];   omega
# lists easy
rev_rev | (xs : List Nat) : xs.reverse.reverse = xs | simp
length_rev | (xs : List Nat) : xs.reverse.length = xs.length | simp
head_in | (x : Nat) (xs : List Nat) : x ∈ x :: xs | simp
copies | (n x : Nat) : (List.replicate n x).length = n | simp
first_of | (x : Nat) (xs : List Nat) : (x :: xs).head? = some x | rfl
cut_and_join | (n : Nat) (xs : List Nat) : xs.take n ++ xs.drop n = xs | exact List.take_append_drop n xs
# lists medium
append_none | (xs : List Nat) : xs ++ [] = xs | induction xs with; | nil => rfl; | cons x xs ih => rw [List.cons_append, ih]
append_groups | (xs ys zs : List Nat) : (xs ++ ys) ++ zs = xs ++ (ys ++ zs) | induction xs with; | nil => rfl; | cons x xs ih => simp
length_append_two | (xs ys : List Nat) : (xs ++ ys).length = xs.length + ys.length | induction xs with; | nil => simp; | cons x xs ih => simp
length_map_any | (f : Nat → Nat) (xs : List Nat) : (xs.map f).length = xs.length | induction xs with; | nil => rfl; | cons x xs ih => rw [List.map_cons, List.length_cons, List.length_cons, ih]
map_twice | (f g : Nat → Nat) (xs : List Nat) : (xs.map f).map g = xs.map (g ∘ f) | induction xs with; | nil => rfl; | cons x xs ih => simp
rev_append | (xs ys : List Nat) : (xs ++ ys).reverse = ys.reverse ++ xs.reverse | simp
in_either | (x : Nat) (xs ys : List Nat) (h : x ∈ xs) : x ∈ xs ++ ys | rw [List.mem_append]; exact Or.inl h
filter_shorter | (p : Nat → Bool) (xs : List Nat) : (xs.filter p).length ≤ xs.length | exact List.length_filter_le p xs
no_length | (xs : List Nat) (h : xs.length = 0) : xs = [] | cases xs with; | nil => rfl; | cons x xs => simp at h
same_head | (x y : Nat) (xs ys : List Nat) (h : x :: xs = y :: ys) : x = y | injection h with first rest
some_in | (x : Nat) (xs : List Nat) (h : x ∈ xs) : 0 < xs.length | exact List.length_pos_of_mem h
# lists hard
rebuild | (xs : List Nat) : xs.foldr (fun x ys => x :: ys) [] = xs | induction xs with; | nil => rfl; | cons x xs ih => rw [List.foldr_cons, ih]
all_in_append | (P : Nat → Prop) (xs ys : List Nat) (h : ∀ x ∈ xs, P x) (k : ∀ x ∈ ys, P x) : ∀ x ∈ xs ++ ys, P x | intro x hx; rw [List.mem_append] at hx; cases hx with; | inl hl => exact h x hl; | inr hr => exact k x hr
map_of_append | (f : Nat → Nat) (xs ys : List Nat) : (xs ++ ys).map f = xs.map f ++ ys.map f | induction xs with; | nil => rfl; | cons x xs ih => rw [List.cons_append, List.map_cons, List.map_cons, List.cons_append, ih]
# computation easy
product_of [6 7 8 9 11 12] | : KK * 7 = 7 * KK | decide
power_of_two | : 2 ^ 10 = 1024 | decide
list_of | : [1, 2, 3].length = 3 | decide
range_of_five | : List.range 5 = [0, 1, 2, 3, 4] | decide
sum_of_list | : [1, 2, 3, 4].foldl (fun s x => s + x) 0 = 10 | decide
bool_and_turns | : ∀ a b : Bool, (a && b) = (b && a) | decide
bool_de_morgan | : ∀ a b : Bool, (!(a && b)) = (!a || !b) | decide
bool_or_turns | : ∀ a b : Bool, (a || b) = (b || a) | decide
fin_small [3 4 5 6 8] | : ∀ i : Fin KK, i.val < KK | decide
# computation medium
no_divisor [3 5 7 11 13 17] | : ∀ d, d < KK → 1 < d → KK % d ≠ 0 | decide
all_small [4 6 8 10] | : ∀ n, n < KK → n * n < KK * KK | decide
bool_spreads | : ∀ a b c : Bool, (a && (b || c)) = ((a && b) || (a && c)) | decide
member_of | : 3 ∈ [1, 2, 3, 4] | decide
# functions medium
same_image | (f : Nat → Nat) (a b : Nat) (h : a = b) : f a = f b | rw [h]
equal_to_same | (a b c : Nat) (h : a = b) (k : c = b) : a = c | rw [h, k]
compose_groups | (f g h : Nat → Nat) : (f ∘ g) ∘ h = f ∘ (g ∘ h) | rfl
equal_functions | (f g : Nat → Nat) (h : ∀ x, f x = g x) : f = g | funext x; exact h x
turn_back | (f : Nat → Nat) (h : ∀ x, f (f x) = x) : ∀ y, ∃ x, f x = y | intro y; exact ⟨f y, h y⟩
# functions hard
one_to_one | (f g : Nat → Nat) (hf : ∀ a b, f a = f b → a = b) (hg : ∀ a b, g a = g b → a = b) : ∀ a b, g (f a) = g (f b) → a = b | intro a b h; exact hf a b (hg (f a) (f b) h)
onto | (f g : Nat → Nat) (hf : ∀ y, ∃ x, f x = y) (hg : ∀ z, ∃ y, g y = z) : ∀ z, ∃ x, g (f x) = z | intro z; obtain ⟨y, hy⟩ := hg z; obtain ⟨x, hx⟩ := hf y; exact ⟨x, by rw [hx, hy]⟩
undone | (f g : Nat → Nat) (h : ∀ x, g (f x) = x) : ∀ a b, f a = f b → a = b | intro a b hab; rw [← h a, hab, h b]
# integers medium
int_next | (a b : Int) (h : a < b) : a + 1 ≤ b | omega
int_minus_minus | (a : Int) : - -a = a | omega
int_turned | (a b : Int) : a - b = -(b - a) | omega
int_never_equal | (a b : Int) : 2 * a ≠ 2 * b + 1 | omega
int_shift [2 3 5 7 9] | (a b : Int) (h : a - KK = b - KK) : a = b | omega
int_signs | (a : Int) : a < 0 ∨ a = 0 ∨ 0 < a | omega
int_between [3 6 8] | (a : Int) (h : -KK < a) (k : a < KK) : a * 1 < LL | omega
# pairs medium
pair_again | (p : Nat × Nat) : (p.1, p.2) = p | rfl
pair_parts | (a b c d : Nat) (h : (a, b) = (c, d)) : a = c ∧ b = d | injection h with first second; exact ⟨first, second⟩
option_cases | (o : Option Nat) : o = none ∨ ∃ x, o = some x | cases o with; | none => exact Or.inl rfl; | some x => exact Or.inr ⟨x, rfl⟩
option_map_some | (f : Nat → Nat) (o : Option Nat) : (o.map f).isSome = o.isSome | cases o with; | none => rfl; | some x => rfl
some_is_one_to_one | (a b : Nat) (h : some a = some b) : a = b | injection h
pair_swapped | (a b : Nat) : (a, b).swap = (b, a) | rfl
"""


def _read(table: str) -> Iterator[Statement]:
    area: Area = "logic"
    difficulty: Difficulty = "easy"
    for line in table.strip().split("\n"):
        if line.startswith("# "):
            _, area, difficulty = line.split()  # type: ignore[assignment]
            continue
        head, claim, steps = line.split(" | ", 2)
        name, _, numbers = head.partition(" [")
        for number in numbers.rstrip("]").split() or [""]:
            yield Statement(
                name=f"{name}_{number}" if number else name,
                area=area,
                difficulty=difficulty,
                claim=_filled(claim, number),
                steps=tuple(step[1:] if step.startswith(" ") else step for step in _filled(steps, number).split(";")),
            )


def _filled(text: str, number: str) -> str:
    return text.replace("KK", number).replace("LL", str(int(number) + 1)) if number else text


STATEMENTS: tuple[Statement, ...] = tuple(_read(_TABLE))
