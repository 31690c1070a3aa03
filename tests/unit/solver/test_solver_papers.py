"""Fetching the paper and its images."""

import asyncio
import gzip

import pytest

from exam_answerlog.log import AnswerLogUnavailableError, PaperPart
from exam_core.canonical import digest
from exam_solver.papers.loader import PAPER_PART
from exam_solver.papers.redis import RedisPaperCache
from exam_solver.testing.papers import IMAGE, IMAGE_SHA256
from exam_solver.testing.world import Process, World, slug_of


async def test_the_papers_etag_is_the_digest_of_its_body(world: World, solver: Process, attempt: str) -> None:
    """I fetch the paper: the body has the digest that its ETag states."""
    response = await solver.request("GET", world.path("paper"), attempt)
    assert response.status_code == 200
    assert response.content == world.paper.body
    assert response.headers["etag"] == f'"{world.paper.digest}"' == f'"{digest(response.content)}"'
    assert response.headers["cache-control"] == "private, no-cache"
    assert "content-encoding" not in response.headers


async def test_the_paper_is_compressed_if_the_client_accepts_gzip(world: World, solver: Process, attempt: str) -> None:
    """My phone on a slow connection gets the paper compressed."""
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


async def test_a_cached_paper_is_not_sent_again(world: World, solver: Process, attempt: str) -> None:
    """I reload the page: the response is 304 without a body."""
    tag = f'"{world.paper.digest}"'
    for if_none_match, status in ((tag, 304), (f'"other", W/{tag}', 304), ("*", 304), ('"other"', 200)):
        response = await solver.request("GET", world.path("paper"), attempt, headers={"If-None-Match": if_none_match})
        assert response.status_code == status
        assert response.headers["etag"] == tag
        assert bool(response.content) is (status == 200)


async def test_the_paper_needs_no_lease(world: World, solver: Process, attempt: str) -> None:
    """PostgreSQL is down: I can still read the questions."""
    world.clock.advance(120)
    assert (await solver.request("GET", world.path("paper"), attempt)).status_code == 200


async def test_without_redis_the_paper_is_read_from_the_log_once(world: World, solver: Process) -> None:
    """Redis lost its data: students start as usual, and the log is read once."""
    world.cache.papers.clear()
    responses = await asyncio.gather(
        *(solver.request("POST", world.path("attempt"), world.access_token(student=n)) for n in range(20))
    )
    assert {response.status_code for response in responses} == {201}
    assert world.cache.reads == 1


async def test_a_body_that_does_not_match_its_digest_is_never_served(world: World, solver: Process) -> None:
    """An intruder wrote into Redis: I still get the paper that was frozen."""
    world.cache.papers[world.paper.digest] = b'{"format":1,"questions":[]}'
    response = await solver.request("POST", world.path("attempt"), world.access_token())
    assert response.json()["paper"] == world.paper.content
    forged = PaperPart(content_type="application/json", data=b"{}")
    await world.log.put_paper_part(world.paper.digest, PAPER_PART, forged)
    other = await world.start_process()
    response = await other.request("POST", world.path("attempt"), world.access_token())
    assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_images_are_immutable_and_sandboxed(world: World, solver: Process, attempt: str) -> None:
    """An image is fetched once and cached by my browser, and runs no script when opened directly."""
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


async def test_images_of_other_papers_are_not_found(world: World, solver: Process, attempt: str) -> None:
    """I cannot fetch another exam's image."""
    other = b"another exam's image"
    await world.log.put_paper_part(world.paper.digest, digest(other), PaperPart(content_type="image/png", data=other))
    for name in (digest(other), PAPER_PART, "..", "x" * 1000):
        response = await solver.request("GET", world.path(f"images/{name}"), attempt)
        assert (response.status_code, slug_of(response)) == (404, "not-found")


async def test_an_image_is_unavailable_while_the_store_is_down_unless_cached(
    world: World, solver: Process, attempt: str
) -> None:
    """The store fails: the image gets 503; once fetched it is served from memory."""
    world.log.fail_with(AnswerLogUnavailableError("down"))
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, slug_of(response), response.headers["retry-after"]) == (503, "unavailable", "1")
    world.log.fail_with(None)
    assert (await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)).status_code == 200
    world.log.fail_with(AnswerLogUnavailableError("down"))
    assert (await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)).status_code == 200


async def test_a_missing_or_wrong_image_is_unavailable(world: World, solver: Process, attempt: str) -> None:
    """An image whose digest is not the paper's is never served."""
    await world.log.put_paper_part(
        world.paper.digest, IMAGE_SHA256, PaperPart(content_type="image/png", data=b"another")
    )
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    world.log.tables["papers"].clear()
    response = await solver.request("GET", world.path(f"images/{IMAGE_SHA256}"), attempt)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")


async def test_an_unreachable_redis_is_a_cache_miss() -> None:
    """Redis is down: the cache misses at once."""
    cache = RedisPaperCache("redis://127.0.0.1:1", timeout=0.2)
    assert await cache.get("x") is None
    await cache.close()


async def test_a_redis_that_hangs_is_a_cache_miss() -> None:
    """Redis accepts the connection and never responds: the read times out."""
    stuck = asyncio.Event()

    async def never_respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(never_respond, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache = RedisPaperCache(f"redis://127.0.0.1:{port}", timeout=0.2)
    async with asyncio.timeout(5):
        assert await cache.get("x") is None
    await cache.close()
    stuck.set()
    server.close()
    await server.wait_closed()


async def test_a_connection_that_redis_has_reset_is_a_cache_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis was killed between two reads: uvloop raises RuntimeError for a write to the closed connection."""

    async def write_to_closed_transport(_: str) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    cache = RedisPaperCache("redis://127.0.0.1:1", timeout=0.2)
    monkeypatch.setattr(cache._redis, "get", write_to_closed_transport)
    assert await cache.get("x") is None
    await cache.close()


async def test_the_compressed_paper_is_identical_in_every_process(world: World, solver: Process, attempt: str) -> None:
    """Every solver sends the same compressed bytes, so that proxies may cache them."""
    other = await world.start_process()
    await solver.request("GET", world.path("paper"), attempt)
    await other.request("GET", world.path("paper"), attempt)
    loaded = [await process.solver.papers.paper(world.paper.digest) for process in (solver, other)]
    assert loaded[0].gzipped(1) == loaded[1].gzipped(2)
    assert gzip.decompress(loaded[0].gzipped(1)) == world.paper.body
