"""The migrations match the models, and a deployment's settings are safe."""

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_no_migration_is_missing(db: None) -> None:
    """The models match the migrations."""
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_deployment_checks_pass(db: None) -> None:
    """Django's checks for deployments have no warnings."""
    call_command("check", deploy=True, fail_level="WARNING")
