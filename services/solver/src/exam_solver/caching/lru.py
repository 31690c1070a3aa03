"""A bounded memory: what was not asked for longest goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Lru(Generic[KeyT, ValueT]):
    """Keeps values up to `capacity`, which counts them unless `weigh` says what each one weighs."""

    def __init__(self, capacity: int, *, weigh: Callable[[ValueT], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[KeyT, ValueT] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: KeyT) -> ValueT | None:
        """The value, now the last to go."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Keep a value; others go until all fit, itself too if it alone is too large."""
        self.drop(key)
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._capacity:
            _, oldest = self._values.popitem(last=False)
            self._weight -= self._weigh(oldest)

    def drop(self, key: KeyT) -> None:
        """Forget a value, if it is there."""
        value = self._values.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
