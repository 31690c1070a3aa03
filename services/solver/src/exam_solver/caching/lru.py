"""A bounded cache that evicts the least recently used value."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Lru(Generic[KeyT, ValueT]):
    """Keeps values up to a total weight of `capacity`; each weighs 1 unless `weigh` is given."""

    def __init__(self, capacity: int, *, weigh: Callable[[ValueT], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[KeyT, ValueT] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: KeyT) -> ValueT | None:
        """Return the value and mark it as used."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Store a value and evict others until all fit; one that exceeds the capacity alone is not kept."""
        self.drop(key)
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._capacity:
            _, oldest = self._values.popitem(last=False)
            self._weight -= self._weigh(oldest)

    def drop(self, key: KeyT) -> None:
        """Remove a value if it is present."""
        value = self._values.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
