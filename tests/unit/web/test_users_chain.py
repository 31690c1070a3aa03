"""The chain of refresh tokens: a lost reply is repeated, a replayed token ends the chain."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exam_core.instants import SECOND
from exam_web.users.chain import Chain, Outcome

GRACE = 30 * SECOND
T0 = 1_790_000_000 * SECOND
FIRST, SECOND_TOKEN, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
ROTATED = Chain(current=SECOND_TOKEN, previous=FIRST, rotated_at=T0)


@pytest.mark.parametrize(
    ("presented", "now", "outcome"),
    [
        (SECOND_TOKEN, T0, Outcome.ROTATE),
        (SECOND_TOKEN, T0 + 3_600 * SECOND, Outcome.ROTATE),
        (FIRST, T0, Outcome.REPEAT),
        (FIRST, T0 - 5 * SECOND, Outcome.REPEAT),
        (FIRST, T0 + GRACE - 1, Outcome.REPEAT),
        (FIRST, T0 + GRACE, Outcome.THEFT),
        (THIRD, T0, Outcome.THEFT),
    ],
)
def test_what_a_presented_token_leads_to(presented: UUID, now: int, outcome: Outcome) -> None:
    """The current token rotates the chain, its predecessor is repeated within the grace, any other is theft."""
    assert ROTATED.decide(presented, now=now, grace=GRACE) is outcome


@given(st.integers(-(10**15), 10**15))
def test_without_a_grace_every_repeat_is_theft(offset: int) -> None:
    """A grace of 0 is the strict rule: each refresh token is valid once, whatever the clock reads."""
    assert ROTATED.decide(FIRST, now=T0 + offset, grace=0) is Outcome.THEFT


def test_a_login_that_was_never_refreshed_has_no_predecessor() -> None:
    """Only the login's first refresh token leads to tokens."""
    chain = Chain(current=FIRST, previous=None, rotated_at=None)
    assert chain.decide(FIRST, now=T0, grace=GRACE) is Outcome.ROTATE
    assert chain.decide(SECOND_TOKEN, now=T0, grace=GRACE) is Outcome.THEFT


class ChainMachine(RuleBasedStateMachine):
    """An honest client of two tabs and a thief who copies any of its tokens, on a network that loses replies."""

    grace = GRACE

    @initialize()
    def log_in(self) -> None:
        """Start a chain with one token."""
        self.now = T0
        self.issued = [UUID(int=1)]
        self.chain = Chain(current=self.issued[0], previous=None, rotated_at=None)
        self.held = self.issued[0]
        self.ended = False
        self.lost_at: int | None = None

    def server(self, presented: UUID) -> UUID | None:
        """Exchange a token as the service does; the new refresh token, or None with the chain ended."""
        if self.ended:
            return None
        holders = {self.chain.current, self.chain.previous}
        outcome = self.chain.decide(presented, now=self.now, grace=self.grace)
        if outcome is Outcome.THEFT:
            self.ended = True
            return None
        assert presented in holders
        if outcome is Outcome.ROTATE:
            self.issued.append(UUID(int=len(self.issued) + 1))
            self.chain = self.chain.rotate(self.issued[-1], now=self.now)
        return self.chain.current

    @precondition(lambda self: self.lost_at is None)
    @rule(seconds=st.integers(0, 7_200))
    def wait(self, seconds: int) -> None:
        """Time passes between refreshes."""
        self.now += seconds * SECOND

    @precondition(lambda self: self.lost_at is not None)
    @rule(micros=st.integers(0, GRACE))
    def wait_for_retry(self, micros: int) -> None:
        """A client that waits for a reply retries within the grace since the first attempt was processed."""
        assert self.lost_at is not None
        self.now = min(self.now + micros, self.lost_at + GRACE - 1)

    @rule(lose=st.booleans(), tabs=st.integers(1, 3), skew=st.integers(0, SECOND))
    def refresh(self, lose: bool, tabs: int, skew: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Refresh from several tabs at once; a later one may have read an earlier time. All replies may be lost."""
        replies = set()
        for _ in range(tabs):
            replies.add(self.server(self.held))
            self.now -= skew
        self.now += skew * tabs
        assert None not in replies, "an honest client lost its login"
        assert len(replies) == 1, "tabs received different refresh tokens"
        if lose:
            self.lost_at = self.now if self.lost_at is None else self.lost_at
        else:
            (self.held,) = (reply for reply in replies if reply is not None)
            self.lost_at = None

    @precondition(lambda self: self.lost_at is None and len(self.issued) > 1)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """A thief replays a token other than the current one after the grace: no tokens, and the chain ends."""
        self.now += self.grace
        stolen = data.draw(st.sampled_from([token for token in self.issued if token != self.chain.current]))
        assert self.server(stolen) is None
        assert self.ended
        self.log_in()

    @invariant()
    def login_lasts(self) -> None:
        """The login has not ended."""
        assert not self.ended


ChainMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestChain = ChainMachine.TestCase


class StrictMachine(ChainMachine):
    """The same without a grace."""

    grace = 0


StrictMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, database=None, print_blob=False
)


def test_without_a_grace_an_honest_client_loses_its_login() -> None:
    """Negative control: without the grace, the same clients and network end a login that no thief has touched."""
    case = StrictMachine.TestCase("runTest")
    with pytest.raises(AssertionError, match="honest client"):
        case.runTest()
