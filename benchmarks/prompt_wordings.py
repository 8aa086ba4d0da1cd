"""Does the untrained student answer a scheduling problem at all, and does the wording decide it?

    python -m benchmarks.prompt_wordings

The origin's 150 problems under several wordings of the question, greedy, read by the domain's own
parser. One JSON line per wording: counts of right, wrong, unparsed and truncated replies, both
classes' rates and their mean, and one example reply.
"""

from __future__ import annotations

import json
from collections import Counter

from benchmarks.machine import machine
from domains.scheduling import ORIGIN_TEST, PROMPT
from domains.scheduling_problems import Instance, origin
from domains.scheduling_reply import read_answer
from domains.scheduling_steps import two_digits
from models.embedded import embedded_model_directory
from models.local import Generation, LocalModel
from records.nouns import Message

_HEAD = "Meetings: {meetings}\nRooms: {rooms}\n"
_RULE = "A meeting ending at T does not conflict with one starting at T."
_VERDICT = "end with 'ANSWER: YES' or 'ANSWER: NO'."
WORDINGS = {
    "domain": PROMPT,
    "rule_last": _HEAD + f"Can all be held? {_RULE} Work through it and {_VERDICT}",
    "steps_first": _HEAD
    + "Can all meetings be held in these rooms? A meeting that ends at T does not conflict with one that starts "
    "at T. Think step by step, then write the verdict on the last line: ANSWER: YES or ANSWER: NO",
    "work_first": f"{_RULE}\n{_HEAD}Work through the meetings. Can all be held? E{_VERDICT[1:]}",
    "yes_or_no": _HEAD + "Can all meetings be scheduled? Answer YES or NO.",
}


def main() -> None:
    """Print one line per wording."""
    model = LocalModel(embedded_model_directory())
    problems = [instance for instance, _ in origin(*ORIGIN_TEST)]
    print(json.dumps({"machine": machine(), "problems": len(problems)}), flush=True)
    for name, wording in WORDINGS.items():
        futures = [
            model.submit([Message(role="user", content=_render(wording, instance))], max_tokens=320)
            for instance in problems
        ]
        replies = [future.result() for future in futures]
        print(json.dumps({"wording": name, **_score(problems, replies), "example": replies[0].text[:160]}), flush=True)
    model.close()


def _render(wording: str, instance: Instance) -> str:
    return wording.format(meetings=", ".join(map(two_digits, instance.meetings)), rooms=instance.rooms)


def _score(problems: list[Instance], replies: list[Generation]) -> dict[str, object]:
    counts: Counter[str] = Counter()
    for instance, reply in zip(problems, replies, strict=True):
        said = read_answer(reply.text)
        counts["unparsed" if said is None else "right" if said == instance.answer else "wrong"] += 1
        counts[f"right_{instance.answer}"] += said == instance.answer
        counts[instance.answer] += 1
        counts["truncated"] += reply.finish == "length"
    rates = {answer: counts[f"right_{answer}"] / counts[answer] for answer in ("YES", "NO")}
    return {**counts, "rates": rates, "balanced": sum(rates.values()) / 2}


if __name__ == "__main__":
    main()
