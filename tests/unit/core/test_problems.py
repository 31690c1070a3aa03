"""The catalogue of refusals."""

from exam_core.problems import BASE, Problem, ProblemKind


def test_every_problem_has_an_address_of_its_own() -> None:
    """A program tells refusals apart by their address, so no two share one."""
    assert len({kind.slug for kind in ProblemKind}) == len(ProblemKind)
    assert all(kind.uri == BASE + kind.slug and kind.title for kind in ProblemKind)
    assert all(400 <= kind.status < 600 for kind in ProblemKind)


def test_a_refusal_says_what_which_and_when_to_come_back() -> None:
    """I read what is wrong with my very request, and when to try again."""
    problem = Problem(ProblemKind.PAUSED, "the sitting is paused", retry_after=2, since="09:00")
    assert problem.body(instance="/v1/x") == {
        "type": BASE + "sitting-paused",
        "title": "The sitting is paused",
        "status": 409,
        "detail": "the sitting is paused",
        "instance": "/v1/x",
        "since": "09:00",
    }
    assert problem.headers == {"Retry-After": "2"}
    assert str(problem) == "the sitting is paused"


def test_who_is_not_known_is_told_how_to_say_so() -> None:
    """A 401 names the scheme, as HTTP wants it, and no time to come back."""
    assert Problem(ProblemKind.TOKEN_EXPIRED, "x").headers == {"WWW-Authenticate": "Bearer"}
    assert Problem(ProblemKind.FORBIDDEN, "x").headers == {}
    assert "instance" not in Problem(ProblemKind.FORBIDDEN, "x").body()
