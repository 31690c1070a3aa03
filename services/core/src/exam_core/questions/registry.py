"""Every kind of question by its name: reads the halves of papers and keys."""

from collections.abc import Callable, Mapping
from typing import Final

from exam_core.canonical import JsonObject
from exam_core.questions.choices import ChoicesHalf, ChoicesKey, TrueFalseHalf
from exam_core.questions.essay import EssayHalf, EssayKey
from exam_core.questions.matching import MatchingHalf, MatchingKey
from exam_core.questions.model import KeyHalf, KindName, StudentHalf
from exam_core.questions.numeric import NumericHalf, NumericKey
from exam_core.questions.ordering import OrderingHalf, OrderingKey
from exam_core.questions.text import ShortTextHalf, ShortTextKey

_READERS: Final[Mapping[KindName, tuple[Callable[[JsonObject], StudentHalf], Callable[[JsonObject], KeyHalf]]]] = {
    KindName.SINGLE: (ChoicesHalf.from_json, ChoicesKey.from_json),
    KindName.TRUE_FALSE: (TrueFalseHalf.from_json, ChoicesKey.from_json),
    KindName.MULTIPLE: (ChoicesHalf.from_json, ChoicesKey.from_json),
    KindName.NUMERIC: (NumericHalf.from_json, NumericKey.from_json),
    KindName.TEXT: (ShortTextHalf.from_json, ShortTextKey.from_json),
    KindName.MATCHING: (MatchingHalf.from_json, MatchingKey.from_json),
    KindName.ORDERING: (OrderingHalf.from_json, OrderingKey.from_json),
    KindName.ESSAY: (EssayHalf.from_json, EssayKey.from_json),
}


def student_half(body: JsonObject) -> StudentHalf:
    """Read a question of a paper, of format 1 too.

    Raises:
        ValueError: this release does not know the kind.
    """
    return _READERS[KindName(body["kind"])][0](body)


def key_half(body: JsonObject) -> KeyHalf:
    """Read a question's entry in a key.

    Raises:
        ValueError: this release does not know the kind.
    """
    return _READERS[KindName(body["kind"])][1](body)
