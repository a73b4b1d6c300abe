"""One item of a checklist, before it is answered."""

from dataclasses import dataclass

from ptacl_core.documents.reviews import ChecklistItem
from ptacl_core.stages.report.answers_model import ANSWERS
from ptacl_core.stages.report.facts import RunFacts


@dataclass(frozen=True, slots=True)
class Item:
    """Number, section, what is asked, the topics that answer it, what is left for the author."""

    number: str
    section: str
    asks: str
    topics: tuple[str, ...] = ()
    left: str = ""


def answer_item(item: Item, facts: RunFacts, sources: dict[str, str]) -> ChecklistItem:
    """Answered from the topics whose facts are all there; the rest is the author's to write."""
    answers: list[str] = []
    files: list[str] = []
    is_whole = bool(item.topics) and not item.left
    for topic in item.topics:
        answer = ANSWERS[topic]
        is_known = all(facts.get(name) is not None for name in answer.needs)
        text = answer.write(facts) if is_known else ""
        if not text:
            is_whole = False
            continue
        answers.append(text)
        files += [sources[name] for name in answer.needs if sources[name] not in files]
    left = item.left if answers else f"{item.asks}."
    return ChecklistItem(
        number=item.number,
        section=item.section,
        asks=item.asks,
        status="answered" if is_whole else "partly" if answers else "author",
        answer=tuple(answers),
        sources=tuple(files),
        left="" if is_whole else left or "What is not on disk.",
    )
