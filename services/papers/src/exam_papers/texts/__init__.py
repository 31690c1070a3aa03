"""Texts as authors write them, made into safe HTML, MathML and plain text when a paper is frozen."""

from exam_papers.texts.escapes import EatenCommand, eaten_commands
from exam_papers.texts.faults import Loss, TextError, TextFault
from exam_papers.texts.render import Rendered, render

__all__ = ["EatenCommand", "Loss", "Rendered", "TextError", "TextFault", "eaten_commands", "render"]
