"""The paper and its images, as students fetch them."""

import asyncio
import gzip

from exam_answerlog.log import AnswerLogUnavailableError, PaperPart
from exam_core.canonical import digest
from exam_solver.papers.loader import PAPER_PART
from exam_solver.papers.redis import RedisPaperCache
from exam_solver.testing.papers import IMAGE, IMAGE_SHA256
from exam_solver.testing.world import Process, World, slug_of


async def test_the_paper_is_its_canonical_body_named_by_its_digest(world: World, solver: Process, attempt: str) -> None:
    """I fetch the paper: what I get has the digest that names it."""
    response = await solver.request("GET", world.path("paper"), attempt)
    assert response.status_code == 200
    assert response.content == world.paper.body
    assert response.headers["etag"] == f'"{world.paper.digest}"' == f'"{digest(response.content)}"'
    assert response.headers["cache-control"] == "private, no-cache"
    assert "content-encoding" not in response.headers


async def test_the_paper_is_sent_compressed_to_who_takes_it(world: World, solver: Process, attempt: str) -> None:
    """My phone on a bad line gets the paper compressed."""
    for accepted, compressed in (
        ("gzip", True),
        ("br;q=1, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
        ("identity, br", False),
    ):
        response = await solver.request("GET", world.path("paper"), attempt, headers={"Accept-Encoding": accepted})
        assert (response.headers.get("content-encoding") == "gzip") is compressed
        assert response.content == world.paper.body
        assert response.headers["vary"] == "Accept-Encoding"


async def test_a_paper_that_i_have_is_not_sent_again(world: World, solver: Process, attempt: str) -> None:
    """I reload the page: nothing but «not modified» comes over the line."""
    tag = f'"{world.paper.digest}"'
    for given, status in ((tag, 304), (f'"other", W/{tag}', 304), ("*", 304), ('"other"', 200)):
        response = await solver.request("GET", world.path("paper"), attempt, headers={"If-None-Match": given})
        assert response.status_code == status
        assert response.headers["etag"] == tag
        assert bool(response.content) is (status == 200)


async def test_the_paper_needs_no_lease(world: World, solver: Process, attempt: str) -> None:
    """PostgreSQL is away: I can still read the questions."""
    world.clock.advance(120)
    assert (await solver.request("GET", world.path("paper"), attempt)).status_code == 200


async def test_without_redis_the_paper_comes_from_the_log(world: World, solver: Process) -> None:
    """Redis lost everything: I start as if nothing had happened, and the log is read once."""
    world.cache.papers.clear()
    responses = await asyncio.gather(
        *(solver.request("POST", world.path("attempt"), world.access_token(student=n)) for n in range(20))
    )
    assert {response.status_code for response in responses} == {201}
    assert world.cache.reads == 1


async def test_another_paper_under_the_digest_is_never_shown(world: World, solver: Process) -> None:
    """Somebody wrote into Redis: I still get the paper that was frozen."""
    world.cache.papers[world.paper.digest] = b'{"format":1,"questions":[]}'
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert response.json()["paper"] == world.paper.content
    forged = PaperPart(content_type="application/json", data=b"{}")
    await world.log.put_paper_part(world.paper.digest, PAPER_PART, forged)
    other = await world.start_process()
    response = await other.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_images_of_the_paper_are_served_for_good(world: World, solver: Process, attempt: str) -> None:
    """The picture in question one: fetched once, kept by my browser, harmless when opened alone."""
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, response.content) == (200, IMAGE)
    assert response.headers["content-type"] == "image/png"
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]
    again = await solver.request(
        "GET", world.path(f"images/{IMAGE_SHA256}"), attempt, headers={"If-None-Match": response.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_images_that_the_paper_does_not_show_are_not_found(world: World, solver: Process, attempt: str) -> None:
    """What is in the store under another exam is not mine to fetch."""
    other = b"another exam's image"
    await world.log.put_paper_part(world.paper.digest, digest(other), PaperPart(content_type="image/png", data=other))
    for name in (digest(other), PAPER_PART, "..", "x" * 1000):
        response = await solver.request("GET", world.path(f"images/{name}"), attempt)
        assert (response.status_code, slug_of(response)) == (404, "not-found")


async def test_an_image_while_the_store_is_down_comes_later(world: World, solver: Process, attempt: str) -> None:
    """The store fails: the picture is missing for now; once fetched it stays."""
    world.log.fail_with(AnswerLogUnavailableError("down"))
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (503, "unavailable", "1")
    world.log.fail_with(None)
    assert (await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)).status_code == 200
    world.log.fail_with(AnswerLogUnavailableError("down"))
    assert (await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)).status_code == 200


async def test_an_image_that_is_missing_or_another_is_not_shown(world: World, solver: Process, attempt: str) -> None:
    """A picture that is not the one in the paper is never shown in its place."""
    await world.log.put_paper_part(
        world.paper.digest, IMAGE_SHA256, PaperPart(content_type="image/png", data=b"another")
    )
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    world.log.tables["papers"].clear()
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_a_redis_that_is_not_there_is_passed_over() -> None:
    """No Redis: the cache knows nothing, and says so quickly."""
    cache = RedisPaperCache("redis://127.0.0.1:1", timeout=0.2)
    assert await cache.get("x") is None
    await cache.close()


async def test_a_redis_that_hangs_is_passed_over() -> None:
    """Redis accepts and says nothing: the cache gives up in time."""
    stuck = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache = RedisPaperCache(f"redis://127.0.0.1:{port}", timeout=0.2)
    async with asyncio.timeout(5):
        assert await cache.get("x") is None
    await cache.close()
    stuck.set()
    server.close()
    await server.wait_closed()


async def test_the_compressed_paper_is_the_same_bytes_everywhere(world: World, solver: Process, attempt: str) -> None:
    """Every solver sends the same compressed bytes, so that caches in between agree."""
    other = await world.start_process()
    await solver.request("GET", world.path("paper"), attempt)
    await other.request("GET", world.path("paper"), attempt)
    shelved = [await process.solver.papers.paper(world.paper.digest) for process in (solver, other)]
    assert shelved[0].gzipped == shelved[1].gzipped
    assert gzip.decompress(shelved[0].gzipped) == world.paper.body
