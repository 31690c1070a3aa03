"""Files of questions and exam documents, as the commands read and write them."""

import sys
from pathlib import Path

from exam_cli.sources import UnreadableError
from exam_core.authoring.exam import ExamDocument
from exam_core.documents import decode
from exam_core.problems import Problem
from exam_papers.documents.reading import read_document
from exam_papers.formats import Imported, ImportFaults, UnknownFormatError, detect, format_named
from exam_papers.images.acceptance import DocumentImages


class FaultyFileError(Exception):
    """A file with faults; the message has a line for each."""


def read_bytes(file: str) -> bytes:
    """Read a file, or standard input for `-`.

    Raises:
        UnreadableError: there is no such file.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UnreadableError(f"{file}: {error.strerror or error}") from error


def write_bytes(data: bytes, file: str | None) -> None:
    """Write a file, or standard output.

    Raises:
        UnreadableError: it cannot be written.
    """
    if file is None:
        sys.stdout.buffer.write(data)
        return
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        raise UnreadableError(f"{file}: {error.strerror or error}") from error


def read_questions(file: str, data: bytes, name: str | None) -> Imported:
    """Read a file of questions; `name` is its format, None to recognise it.

    Raises:
        FaultyFileError: it has faults, or is in no known format.
    """
    try:
        form = format_named(name) if name else detect(file, data)
        return form.read(data, file=file, accept_image=DocumentImages())
    except (ImportFaults, UnknownFormatError) as error:
        raise FaultyFileError(str(error)) from error


def read_exam_document(file: str, data: bytes) -> ExamDocument:
    """Read an exam document.

    Raises:
        FaultyFileError: it has faults.
    """
    try:
        return read_document(decode(data), DocumentImages())
    except Problem as problem:
        faults = problem.extra.get("faults")
        listed = faults if isinstance(faults, list) else []
        lines = [f"{file}, line {fault['line']}: {fault['reason']}" for fault in listed]
        raise FaultyFileError("\n".join(lines) or f"{file}: {problem.detail}") from problem
