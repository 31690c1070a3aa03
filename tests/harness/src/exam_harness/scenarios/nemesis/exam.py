"""The exam of sittings under faults: four questions, so that students return to each of them often."""

from typing import Final

LEVEL: Final = "nemesis"
QUESTIONS: Final = 4
_DOCUMENT: Final = """\
exam: {slug}
title: An exam under faults
level: {level}
questions:
  - id: one
    kind: single
    text: Which is even?
    choices:
      - {{id: a, text: "2", correct: true}}
      - {{id: b, text: "3"}}
      - {{id: c, text: "5"}}
  - id: many
    kind: multiple
    weight: 2
    text: Which are prime?
    max_choices: 3
    choices:
      - {{id: a, text: "2", correct: true}}
      - {{id: b, text: "3", correct: true}}
      - {{id: c, text: "4"}}
      - {{id: d, text: "9"}}
  - id: number
    kind: numeric
    weight: 1.5
    text: How many days has a week?
    answer: {{value: 7, tolerance: 1}}
  - id: last
    kind: matching
    text: Match numbers and squares.
    stems:
      - {{id: a, text: "3", target: "9"}}
      - {{id: b, text: "4", target: "16"}}
    distractors: ["8"]
"""


def document(slug: str) -> str:
    """The exam's YAML under a slug."""
    return _DOCUMENT.format(slug=slug, level=LEVEL)
