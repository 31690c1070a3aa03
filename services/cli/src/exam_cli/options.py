"""The options that name where documents come from."""

import argparse
from pathlib import Path

from exam_cli.sources import Document, Sources, read_text

Option = tuple[str, Document, str]
"""Flag, document, help."""


def add_sources(parser: argparse.ArgumentParser, *options: Option) -> None:
    """Add an option for each document, and those for all of them."""
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="URL|FOLDER",
        help="the platform's address or a folder written with --save, for every document that is not named",
    )
    for flag, document, text in options:
        parser.add_argument(flag, dest=document.file, metavar="FILE|URL", help=text)
    parser.add_argument("--token-file", metavar="FILE", help="the student's access token, with which a proof is read")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="store what was read, to verify it offline later")
    parser.set_defaults(documents=[document for _, document, _ in options])


def sources_from(arguments: argparse.Namespace) -> Sources:
    """Return the sources that a command line names; raises UnreadableError."""
    named = {document: getattr(arguments, document.file) for document in arguments.documents}
    return Sources(
        given={document: source for document, source in named.items() if source},
        origin=arguments.origin,
        token=read_text(arguments.token_file).strip() if arguments.token_file else None,
        save=arguments.save,
    )
