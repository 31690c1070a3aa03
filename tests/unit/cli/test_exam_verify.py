"""The `exam` command on files and on addresses."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_cli.__main__ import main
from exam_core import receipts, statements
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, answer_id_of
from exam_core.commitments import DegreeContent, attempt_member, degree_member
from exam_core.fold import seal_bucket
from exam_core.inclusion import BucketRoot, InclusionProof, Member, buckets_root
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.receipts import Receipt
from exam_core.statements import DegreesStatement, SealStatement

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SECRET = bytes(range(32))
WEB, SOLVER = (
    SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))]})
    for seed in (1, 2)
)


def saved_answer(seq: int, choice: int) -> Answer:
    """An answer of student 17 to question 0."""
    value = AnswerValue(choice=choice)
    return Answer(
        student=17,
        question=0,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=17, question=0, seq=seq, answer=value),
        received_at=1_790_000_000_000_000 + seq,
        deadline_at=1_790_000_600_000_000,
        solver=UUID(int=1),
        epoch=7,
        answer=value,
    )


FIRST, SECOND = saved_answer(1, 1), saved_answer(2, 2)


def seal_documents(*answers: Answer) -> dict[str, Any]:
    """What is published of a sitting with these answers, by file name."""
    attempts = seal_bucket(sitting=SITTING, bucket=0, paper=None, answers=answers, starts=[], submissions=[]).students
    members = [attempt_member(SECRET, SITTING, attempt) for attempt in attempts]
    statement = SealStatement(
        sitting=SITTING,
        name="algebra-midterm",
        paper="ab" * 32,
        buckets=1,
        students=len(attempts),
        answers=len(answers),
        root=buckets_root([BucketRoot.of(0, members)]),
        seal="cd" * 32,
        closed_at=1,
        drained_at=2,
        sealed_at=3,
    )
    signed = statements.sign(statement, WEB)
    return {
        "seal.json": {"statement": signed},
        "proof.json": {"statement": signed, "proof": proof_of(members)},
        "keys.json": WEB.public.to_jwks(),
        "receipt-keys.json": SOLVER.public.to_jwks(),
    }


def degree_documents() -> dict[str, Any]:
    """What is published of the degrees, by file name."""
    degree = DegreeContent(student=17, total="7.5", maximum="10", answered=1, points=("7.5", None))
    members = [degree_member(SECRET, SITTING, 1, degree)]
    statement = DegreesStatement(
        sitting=SITTING,
        name="algebra-midterm",
        revision=1,
        paper="ab" * 32,
        key="ef" * 32,
        policy="12" * 32,
        seal="cd" * 32,
        buckets=1,
        degrees=1,
        root=buckets_root([BucketRoot.of(0, members)]),
        graded_at=4,
    )
    signed = statements.sign(statement, WEB)
    return {
        "degrees.json": {"statement": signed},
        "degree-proof.json": {"statement": signed, "proof": proof_of(members)},
        "keys.json": WEB.public.to_jwks(),
    }


def proof_of(members: list[Member]) -> Any:
    """The proof of the only student."""
    proof = InclusionProof.of(17, members, [BucketRoot.of(0, members)])
    assert proof is not None
    return proof.to_json()


def write(folder: Path, documents: dict[str, Any]) -> str:
    """Write documents to a folder and return its name."""
    for name, body in documents.items():
        (folder / name).write_text(json.dumps(body))
    return str(folder)


@pytest.fixture
def receipt(tmp_path: Path) -> str:
    """A file with the solver's response to the first answer."""
    path = tmp_path / "receipt.json"
    signed = receipts.sign(Receipt.of(SITTING, FIRST), SOLVER)
    path.write_text(json.dumps({"question": 0, "seq": 1, "receipt": signed}))
    return str(path)


def test_a_receipt_whose_answer_counts(receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`exam verify` prints that my acknowledged answer counts and exits with 0."""
    folder = write(tmp_path, seal_documents(FIRST))
    assert main(["verify", receipt, "--from", folder]) == 0
    assert capsys.readouterr().out == "counted: algebra-midterm: student 17, question 0, seq 1\n"


def test_each_document_can_be_named(receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --from I name the files, the seal's is optional, and a file may contain the JWS alone."""
    documents = seal_documents(FIRST)
    folder = Path(write(tmp_path, documents))
    named = ["--proof", str(folder / "proof.json"), "--keys", str(folder / "keys.json")]
    assert main(["verify", receipt, *named, "--receipt-keys", str(folder / "receipt-keys.json")]) == 0
    (folder / "seal.jws").write_text(documents["seal.json"]["statement"] + "\n")
    named += ["--receipt-keys", str(folder / "receipt-keys.json"), "--seal", str(folder / "seal.jws")]
    assert main(["verify", receipt, *named]) == 0
    assert capsys.readouterr().out.count("counted: ") == 2


def test_a_superseded_receipt(receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If I changed my answer later, the command names the answer that counts and exits with 0."""
    folder = write(tmp_path, seal_documents(FIRST, SECOND))
    assert main(["verify", receipt, "--from", folder]) == 0
    assert capsys.readouterr().out == (
        "superseded: algebra-midterm: student 17, question 0, seq 1; seq 2 counts, which was received at "
        "2026-09-21T14:13:20.000002Z\n"
    )


def test_a_lost_answer(receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the seal lost an acknowledged answer, the command shows it and exits with 1."""
    folder = write(tmp_path, seal_documents(replace(FIRST, question=1)))
    assert main(["verify", receipt, "--from", folder]) == 1
    assert capsys.readouterr().out.startswith("not counted: ")


def test_a_forged_receipt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt that no solver signed is invalid: exit code 1."""
    path = tmp_path / "receipt.jws"
    path.write_text(receipts.sign(Receipt.of(SITTING, FIRST), WEB))
    assert main(["verify", str(path), "--from", write(tmp_path, seal_documents(FIRST))]) == 1
    assert capsys.readouterr().err.startswith("invalid: not a valid receipt: no key ")


def test_a_seal_that_a_solver_signed(receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys of receipts do not verify statements: a solver cannot make a seal."""
    documents = seal_documents(FIRST)
    statement = statements.read(SealStatement, documents["seal.json"]["statement"], WEB.public)
    forged = {"statement": statements.sign(statement, SOLVER)}
    assert main(["verify", receipt, "--from", write(tmp_path, documents | {"seal.json": forged})]) == 1
    assert capsys.readouterr().err.startswith("invalid: not a valid statement of type 'exam-seal+jwt': no key ")


def test_a_proof_from_another_seal(receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proof must lead to the root of the seal that I name."""
    mixed = seal_documents(FIRST) | {"seal.json": seal_documents(SECOND)["seal.json"]}
    assert main(["verify", receipt, "--from", write(tmp_path, mixed)]) == 1
    assert capsys.readouterr().err.startswith("invalid: the proof leads to the root ")


@pytest.mark.parametrize("name", ["seal.json", "proof.json", "keys.json", "receipt-keys.json"])
@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"keys": 1}', '{"proof": 1}', "[" * 5000])
def test_an_unusable_document_is_an_error(
    receipt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None
) -> None:
    """A missing or malformed file gives a message and exit code 1 or 2, never a traceback or success."""
    write(tmp_path, seal_documents(FIRST))
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_text(text)
    assert main(["verify", receipt, "--from", str(tmp_path)]) in {1, 2}
    assert capsys.readouterr().err.startswith(("error: ", "invalid: "))


def test_a_document_that_is_not_named(receipt: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says which document is missing and how to name it."""
    assert main(["verify", receipt]) == 2
    assert capsys.readouterr().err == "error: receipt-keys.json: name it, or the platform's address with --from\n"


def test_a_degree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`exam verify-degree` prints the degree that was signed for me; another one is invalid."""
    documents = degree_documents()
    assert main(["verify-degree", "--from", write(tmp_path, documents)]) == 0
    assert capsys.readouterr().out == "verified: algebra-midterm revision 1: student 17 has 7.5 of 10\n"
    documents["degree-proof.json"]["proof"]["content"]["total"] = "10"
    assert main(["verify-degree", "--from", write(tmp_path, documents)]) == 1
    assert capsys.readouterr().err.startswith("invalid: the proof leads to the root ")


@pytest.fixture
def platform() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """An address that serves the documents, and the requests it received with their credentials."""
    documents = {
        f"/api/sittings/{SITTING}/seal": seal_documents(FIRST)["seal.json"],
        f"/api/sittings/{SITTING}/seal/proof": seal_documents(FIRST)["proof.json"],
        "/api/keys": WEB.public.to_jwks(),
        "/v1/keys": SOLVER.public.to_jwks(),
    }
    requests: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.path, self.headers["Authorization"]))
            private = self.path.endswith("/proof") and not self.headers["Authorization"]
            body = json.dumps({"detail": "log in"} if private else documents[self.path]).encode()
            self.send_response(401 if private else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


def test_what_was_read_from_the_platform_can_be_verified_offline(
    receipt: str,
    tmp_path: Path,
    platform: tuple[str, list[tuple[str, str | None]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With an address the documents are downloaded; the access token is sent for the proof alone."""
    address, requests = platform
    (tmp_path / "token").write_text("secret\n")
    saved = tmp_path / "saved"
    assert (
        main(["verify", receipt, "--from", address, "--token-file", str(tmp_path / "token"), "--save", str(saved)]) == 0
    )
    assert {path for path, token in requests if token} == {f"/api/sittings/{SITTING}/seal/proof"}
    received = len(requests)
    assert main(["verify", receipt, "--from", str(saved)]) == 0
    assert len(requests) == received
    assert capsys.readouterr().out.count("counted: ") == 2


def test_a_platform_that_refuses_is_reported(
    receipt: str, platform: tuple[str, list[tuple[str, str | None]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error has the address, the status and the platform's reason."""
    assert main(["verify", receipt, "--from", platform[0]]) == 2
    assert capsys.readouterr().err == f"error: {platform[0]}/api/sittings/{SITTING}/seal/proof: 401 log in\n"
