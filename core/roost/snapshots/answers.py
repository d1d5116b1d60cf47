"""Whether a bundle started from a snapshot answers as one that was started cold."""

from __future__ import annotations

import hashlib

from roost.models import Reason
from roost.snapshots.backend import Answered


class AnswersDiffer(Exception):
    """A start from a snapshot answered otherwise than a cold one."""

    def __init__(self, questions: list[str]) -> None:
        self.reason = Reason(
            "answers_differ",
            f"started from the snapshot it answers {', '.join(questions)} otherwise than started "
            "cold, so it depends on something that is not the same in both; it starts cold",
        )
        super().__init__(self.reason.sentence)


def digest_answers(answered: Answered) -> tuple[tuple[str, str], ...]:
    """Return question and digest of every answer, sorted."""
    return tuple(
        (question, hashlib.sha256(text.encode()).hexdigest())
        for question, text in sorted(answered.answers)
    )


def refuse_other_answers(cold: tuple[tuple[str, str], ...], restored: Answered) -> None:
    """Compare the digests of a cold start's answers with a restored one's.

    Raises:
        AnswersDiffer: they are not the same, or not to the same questions.
    """
    before, after = dict(cold), dict(digest_answers(restored))
    other = sorted(q for q in {*before, *after} if before.get(q) != after.get(q))
    if other:
        raise AnswersDiffer(other)
