"""Degrees: a student's result in a sitting, one per revision; students see that of the published revision."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from exam_core.limits import MAX_WEIGHT
from exam_core.paper import MAX_QUESTIONS
from exam_web.sittings.models import Revision
from exam_web.users.models import Student


class Degree(models.Model):
    """One student's result in one revision; `points` has a decimal string or null per question."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="degrees")
    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="degrees")
    total = models.DecimalField(max_digits=9, decimal_places=2)
    maximum = models.DecimalField(max_digits=9, decimal_places=2)
    points = models.JSONField()
    answered = models.PositiveIntegerField()
    started_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    graded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One per student and revision."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=("revision", "student"), name="degree_once"),
            # Below 0 only under a policy that says so, which the grader applies.
            models.CheckConstraint(
                condition=Q(total__gte=-F("maximum"), total__lte=F("maximum")), name="degree_total_bounded"
            ),
            models.CheckConstraint(condition=Q(maximum__lte=MAX_QUESTIONS * MAX_WEIGHT), name="degree_maximum_bounded"),
        ]

    def __str__(self) -> str:
        return f"{self.student} {self.total}/{self.maximum}"
