"""The run of seqs: it never covers a seq whose answer may still be under way elsewhere."""

from hypothesis import given
from hypothesis import strategies as st

from exam_solver.attempts.seqs import SeqRun

SEQS = st.integers(1, 12)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), SEQS),
        st.tuples(st.just("fail"), SEQS),
        st.tuples(st.just("merge"), st.sets(SEQS)),
    ),
    max_size=12,
)


@given(EVENTS, st.integers(0, 12), st.integers(1, 14))
def test_an_unbroken_run_has_only_seqs_whose_outcome_is_known(
    events: list[tuple[str, int | set[int]]], after: int, before: int
) -> None:
    """Whatever arrived, failed or was read: «unbroken» means that each seq in between was handled or is saved."""
    run, known, doubtful = SeqRun(), set[int](), set[int]()
    for kind, argument in events:
        if isinstance(argument, set):
            run.merge((seq, 0) for seq in argument)
            known |= argument
            doubtful -= argument
        elif kind == "add":
            run.add(argument)
            known.add(argument)
        elif argument in known:
            run.break_at(argument)
            doubtful.add(argument)
    assert run.highest == max(known, default=0)
    if run.unbroken(after=after, before=before):
        assert set(range(after + 1, before)) <= known - doubtful
        assert max(known, default=0) < before


@given(st.integers(1, 30), st.integers(0, 30))
def test_a_device_that_counts_its_answers_has_one_run(count: int, after: int) -> None:
    """A device that counts from 1 and whose answers all come here never has a seq skipped."""
    run = SeqRun()
    for seq in range(1, count + 1):
        assert not run.skipped(seq)
        run.add(seq)
    assert run.unbroken(after=after, before=count + 1)
    assert run.skipped(count + 2)


@given(st.sets(SEQS, min_size=1))
def test_a_run_read_from_the_log_ends_at_the_highest_saved_seq(seqs: set[int]) -> None:
    """A process that has just read the log knows as much as one that handled these answers in order."""
    read, handled = SeqRun(), SeqRun()
    read.merge((seq, 0) for seq in seqs)
    for seq in sorted(seqs):
        handled.add(seq)
    assert (read.first, read.highest) == (handled.first, handled.highest)


def test_seqs_that_are_counted_for_each_question_tell_nothing_about_others() -> None:
    """A client that counts from 1 for each question: one question's seq does not stand for another's."""
    run = SeqRun()
    run.merge([(1, 0), (1, 1), (2, 1)])
    assert not run.unbroken(after=1, before=3)
    run = SeqRun()
    for seq in (1, 1, 2):
        run.add(seq)
    assert not run.unbroken(after=0, before=3)


def test_a_copy_is_independent() -> None:
    """A plan that is not carried out changes nothing."""
    run = SeqRun()
    run.add(1)
    run.copy().add(2)
    assert run.highest == 1
