"""The schema that migrations make is the one that the models describe, and a deployment's settings are safe."""

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_every_change_of_a_model_has_its_migration(db: None) -> None:
    """Nothing is left to migrate: the models and the migrations say the same."""
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_a_deployment_is_safe_by_default(db: None) -> None:
    """Django's own checks for a deployment find nothing to warn of."""
    call_command("check", deploy=True, fail_level="WARNING")
