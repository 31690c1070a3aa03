"""What a list of adjustments has that a paper and its key do not allow."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Final

from exam_core import limits
from exam_core.adjustments.apply import adjusted_key
from exam_core.adjustments.listing import MAX_ADJUSTMENTS, Adjustments
from exam_core.adjustments.members import MAX_NUMBER
from exam_core.adjustments.model import (
    AcceptChoices,
    AcceptNumber,
    AcceptOrder,
    AcceptTarget,
    AcceptText,
    Adjustment,
    GiveFullCredit,
    LeaveOut,
    QuestionAdjustment,
    SetAcceptedCredit,
    SetChoiceCredit,
    SetPolicy,
    SetWeight,
)
from exam_core.credits import FULL_CREDIT, NO_CREDIT, credit_fault
from exam_core.paper import Key, KeyEntry, Paper, Question
from exam_core.questions.choices import ChoiceRule, ChoicesHalf, ChoicesKey
from exam_core.questions.matching import MatchingHalf
from exam_core.questions.model import KeyHalf, KindName, StudentHalf
from exam_core.questions.notation import AcceptedNumberError, parse_accepted
from exam_core.questions.numeric import Numeric, NumericKey
from exam_core.questions.text import AcceptedText, ShortText, ShortTextHalf, ShortTextKey
from exam_core.questions.wire import unstorable

MAX_REASON: Final = 1000
_CHOICES: Final = (KindName.SINGLE, KindName.TRUE_FALSE, KindName.MULTIPLE)
_KINDS: Final[dict[type[Adjustment], tuple[KindName, ...]]] = {
    AcceptNumber: (KindName.NUMERIC,),
    AcceptText: (KindName.TEXT,),
    AcceptChoices: _CHOICES,
    AcceptTarget: (KindName.MATCHING,),
    AcceptOrder: (KindName.ORDERING,),
    SetChoiceCredit: _CHOICES,
    SetAcceptedCredit: (KindName.NUMERIC, KindName.TEXT),
}
"""The kinds of questions that an adjustment is for; all others are for any."""


def adjustment_faults(adjustments: Adjustments, paper: Paper, key: Key) -> list[str]:
    """List every reason why adjustments cannot be applied to a paper and one of its keys; empty if there is none."""
    entries = adjustments.entries
    if len(entries) > MAX_ADJUSTMENTS:
        return [f"there are {len(entries)} adjustments; at most {MAX_ADJUSTMENTS} are allowed"]
    keys = key.entries(paper)
    single = [list(_entry_faults(entry, paper, keys)) for entry in entries]
    faults = [f"adjustment {number} {each}" for number, found in enumerate(single, start=1) for each in found]
    faults.extend(_conflicts(entries))
    if faults:
        return faults
    for number, (question, before) in enumerate(zip(paper.questions, keys, strict=True)):
        listed = tuple(adjustments.of_question(number))
        faults.extend(f"question {number} {each}" for each in _together(question, before.half, listed))
    if len(adjustments.left_out) == len(paper.questions):
        faults.append("every question is left out: leave one in, or publish no degrees")
    return faults


def _entry_faults(entry: Adjustment, paper: Paper, keys: Sequence[KeyEntry]) -> Iterator[str]:
    yield from _reason_faults(entry.reason)
    if isinstance(entry, SetPolicy):
        if entry.multiple is None and entry.negative_total is None:
            yield "sets no rule: name one"
        return
    if not 0 <= entry.question < len(paper.questions):
        yield f"is of question {entry.question}: the paper has questions 0 to {len(paper.questions) - 1}"
        return
    half = paper.questions[entry.question].half
    kinds = _KINDS.get(type(entry))
    if kinds and half.kind not in kinds:
        yield f"({entry.change}) is for questions of kind {', '.join(kinds)}; question {entry.question} is {half.kind}"
    else:
        yield from _content_faults(entry, half, keys[entry.question].half)


def _reason_faults(reason: str) -> Iterator[str]:
    if not reason.strip():
        yield "has no reason"
    elif len(reason) > MAX_REASON or unstorable(reason.replace("\n", "")) is not None:
        yield f"has a reason of more than {MAX_REASON} characters, or with one that cannot be stored"


def _content_faults(entry: QuestionAdjustment, half: StudentHalf, key: KeyHalf) -> Iterator[str]:
    match entry:
        case AcceptNumber() | AcceptText() | AcceptChoices() | AcceptTarget() | AcceptOrder():
            yield from _accept_faults(entry, half, key)
        case SetChoiceCredit() | SetAcceptedCredit():
            yield from _credit_faults(entry, key)
        case SetWeight():
            scaled = entry.weight.scaleb(limits.WEIGHT_PLACES) if entry.weight.is_finite() else None
            if scaled is None or not 0 <= entry.weight <= limits.MAX_WEIGHT or scaled != int(scaled):
                yield f"has a weight that is not from 0 to {limits.MAX_WEIGHT} with {limits.WEIGHT_PLACES} places"
        case GiveFullCredit() | LeaveOut():
            pass


def _accept_faults(
    entry: AcceptNumber | AcceptText | AcceptChoices | AcceptTarget | AcceptOrder, half: StudentHalf, key: KeyHalf
) -> Iterator[str]:
    if not isinstance(entry, AcceptTarget):
        yield from _positive_fault(entry.credit)
    match entry:
        case AcceptNumber():
            yield from _number_faults(entry.answer)
        case AcceptText():
            yield from _text_faults(entry.answer, half, key)
        case AcceptChoices():
            most = half.max_choices if isinstance(half, ChoicesHalf) else 1
            yield from _numbers_fault(entry.choices, _choice_count(key), "choice")
            if not 1 <= len(entry.choices) <= most:
                yield f"accepts {len(entry.choices)} choices together: answers have 1 to {most}"
        case AcceptTarget():
            targets = len(half.targets) if isinstance(half, MatchingHalf) else 0
            yield from _numbers_fault((entry.stem,), len(half.contents), "stem")
            yield from _numbers_fault((entry.target,), targets, "target")
        case AcceptOrder():
            if sorted(entry.order) != list(range(len(half.contents))):
                yield f"accepts an order that does not have each of the items 0 to {len(half.contents) - 1} once"


def _credit_faults(entry: SetChoiceCredit | SetAcceptedCredit, key: KeyHalf) -> Iterator[str]:
    yield from _credit_fault(entry.credit)
    if isinstance(entry, SetAcceptedCredit):
        size = len(key.accepted) if isinstance(key, NumericKey | ShortTextKey) else 0
        yield from _numbers_fault((entry.entry,), size, "accepted answer")
        return
    yield from _numbers_fault((entry.choice,), _choice_count(key), "choice")
    counted = isinstance(key, ChoicesKey) and key.rule is not ChoiceRule.SUM_OF_CREDITS
    if counted and entry.credit not in (NO_CREDIT, FULL_CREDIT):
        yield "sets a credit in a question whose choices are correct or wrong: 1 or 0"


def _conflicts(entries: Sequence[Adjustment]) -> Iterator[str]:
    """Entries about the same, and entries that another one leaves without effect."""
    places: dict[tuple[object, ...], int] = {}
    for number, entry in enumerate(entries, start=1):
        first = places.setdefault(entry.place, number)
        if first != number:
            yield f"adjustments {first} and {number} ({entry.change}) are about the same: keep one of them"
    left_out = {each.question: n for n, each in enumerate(entries, start=1) if isinstance(each, LeaveOut)}
    credited = {each.question: n for n, each in enumerate(entries, start=1) if isinstance(each, GiveFullCredit)}
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, SetPolicy | LeaveOut):
            continue
        if entry.question in left_out:
            other = left_out[entry.question]
            yield f"adjustment {number} ({entry.change}) is of question {entry.question}, which {other} leaves out"
        elif entry.question in credited and not isinstance(entry, GiveFullCredit | SetWeight):
            other = credited[entry.question]
            yield f"adjustment {number} ({entry.change}) has no effect: {other} gives full credit whatever was answered"


def _together(question: Question, before: KeyHalf, listed: Sequence[QuestionAdjustment]) -> Iterator[str]:
    """Faults of the key that the adjustments of a question make together."""
    if not any(isinstance(each, SetChoiceCredit | SetAcceptedCredit) for each in listed):
        return
    after = adjusted_key(before, listed)
    accepted = any(isinstance(each, AcceptNumber | AcceptText | AcceptChoices) for each in listed)
    if not accepted and not any(credit > 0 for credit in _credits(after)):
        yield "has no answer that earns points: leave it out, or give full credit"
    if isinstance(after, ChoicesKey) and after.rule is not ChoiceRule.SUM_OF_CREDITS:
        right = sum(credit > 0 for credit in after.credits)
        half = question.half
        if isinstance(half, ChoicesHalf) and right > half.max_choices:
            yield f"has {right} correct choices, of which students could select {half.max_choices}: accept each answer"


def _credits(half: KeyHalf) -> Iterable[Fraction]:
    match half:
        case ChoicesKey():
            return half.credits
        case NumericKey():
            return [credit for _, credit in half.accepted]
        case ShortTextKey():
            return [entry.credit for entry in half.accepted]
    return ()


def _choice_count(key: KeyHalf) -> int:
    return len(key.credits) if isinstance(key, ChoicesKey) else 0


def _credit_fault(credit: Fraction) -> Iterator[str]:
    if reason := credit_fault(credit):
        yield f"has a credit that {reason}"


def _positive_fault(credit: Fraction) -> Iterator[str]:
    if credit <= 0:
        yield "accepts an answer with credit 0 or less: give it more, or set the credit of the entry that accepts it"
    else:
        yield from _credit_fault(credit)


def _numbers_fault(numbers: Sequence[int], size: int, noun: str) -> Iterator[str]:
    if len(set(numbers)) != len(numbers):
        yield f"names a {noun} twice"
    if any(not 0 <= number < min(size, MAX_NUMBER) for number in numbers):
        yield f"names an unknown {noun}: the question has 0 to {size - 1}"


def _number_faults(text: str) -> Iterator[str]:
    try:
        accepted = parse_accepted(text)
    except AcceptedNumberError as error:
        yield f"accepts a number that {error}"
        return
    for fault in Numeric(accepted=(accepted,)).faults():
        yield fault.reason.replace("has accepted value 1", "accepts a number").replace(", a range", " range")


def _text_faults(text: str, half: StudentHalf, key: KeyHalf) -> Iterator[str]:
    if not isinstance(half, ShortTextHalf) or not isinstance(key, ShortTextKey):
        return
    accepted = (AcceptedText(text=text),)
    question = ShortText(accepted=accepted, case=key.case, wildcards=key.wildcards, max_length=half.max_length)
    for fault in question.faults():
        yield fault.reason.replace("has accepted text 1", "accepts a text")
