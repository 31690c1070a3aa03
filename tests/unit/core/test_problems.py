"""The catalogue of problem types."""

from exam_core.problems import BASE, Problem, ProblemKind


def test_every_problem_has_its_own_uri() -> None:
    """Programs distinguish problems by their URI, so that no two share one."""
    assert len({kind.slug for kind in ProblemKind}) == len(ProblemKind)
    assert all(kind.uri == BASE + kind.slug and kind.title for kind in ProblemKind)
    assert all(400 <= kind.status < 600 for kind in ProblemKind)


def test_a_problem_has_detail_instance_and_retry_after() -> None:
    """The response describes the fault in my request, and when to retry."""
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


def test_401_names_the_authentication_scheme() -> None:
    """A 401 names the scheme, as HTTP requires, and no time to retry."""
    assert Problem(ProblemKind.TOKEN_EXPIRED, "x").headers == {"WWW-Authenticate": "Bearer"}
    assert Problem(ProblemKind.FORBIDDEN, "x").headers == {}
    assert "instance" not in Problem(ProblemKind.FORBIDDEN, "x").body()
