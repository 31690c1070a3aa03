"""The platform's Secret: generated once where the cluster can be read, and otherwise by a command."""

import base64
import subprocess
from typing import Any

import pytest
import yaml

from exam_core.keys import SigningKeys
from exam_harness.chart.render import CHART, SECRET, RenderError, pods_of, render

GENERATED = {"secrets": {"existingSecret": ""}}
KEYS = {
    "secret-key",
    "web-keys.pem",
    "statement-keys.pem",
    "solver-keys.pem",
    "operator-service-keys.pem",
    "solver-service-keys.pem",
    "postgres-password",
    "postgres-owner-password",
    "postgres-web-password",
    "postgres-solver-password",
    "postgres-grader-password",
    "redis-web-password",
    "redis-solver-password",
    "redis-grader-password",
    "redis-probe-password",
    "cassandra-password",
    "cassandra-web-password",
    "cassandra-solver-password",
    "cassandra-grader-password",
    "postgres-monitoring-password",
    "redis-monitoring-password",
    "cassandra-monitoring-password",
}


def _command(*arguments: str) -> str:
    done = subprocess.run(
        ["/bin/sh", str(CHART / "create-secret.sh"), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def _decoded(secret) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def _generated(control_plane) -> dict[str, Any]:
    """The Secret that the chart generates on a cluster."""
    documents = render(GENERATED, arguments=("--dry-run=server", f"--kubeconfig={control_plane.kubeconfig}"))
    (secret,) = [each for each in documents if each["kind"] == "Secret"]
    return secret


def test_rendering_without_a_cluster_is_refused() -> None:
    """If Argo CD renders my chart, it never replaces passwords and keys: without existingSecret it gets an error."""
    with pytest.raises(
        RenderError, match=r"(?s)secrets\.existingSecret is not set.*create-secret\.sh exam exam-secrets"
    ):
        render(GENERATED)
    with pytest.raises(RenderError, match=r"secrets\.existingSecret is not set"):
        render(GENERATED, arguments=("--is-upgrade",))
    # The names of migrations contain a hash; nothing in the manifests is random.
    assert render() == render()
    assert not [each for each in render() if each["kind"] == "Secret"]


def test_the_command_makes_every_key_that_pods_read() -> None:
    """If I make the Secret by the command, every pod finds its keys in it, and two clusters share none."""
    text = _command("exam", "ours")
    secret, other = yaml.safe_load(text), yaml.safe_load(_command("exam", "ours"))
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("ours", "exam")
    assert secret["data"].keys() == KEYS
    assert all(secret["data"][key] != other["data"][key] for key in KEYS)
    for key, value in _decoded(secret).items():
        if key.endswith(".pem"):
            assert SigningKeys.read(value).kid
        else:
            # As long as web requires its secrets to be.
            assert len(value) >= 64
            assert value.isalnum()
    read = str(pods_of(render({"exporters": {"enabled": True}})))
    assert all(f"'{key}'" in read for key in KEYS)


def test_the_command_explains_its_arguments() -> None:
    """If I forget the name, the command prints how it is called and no Secret."""
    done = subprocess.run(["/bin/sh", str(CHART / "create-secret.sh")], capture_output=True, text=True, check=False)
    assert done.returncode
    assert not done.stdout
    assert done.stderr.startswith("usage: sh create-secret.sh NAMESPACE NAME")


def test_the_command_makes_the_keys_that_i_name() -> None:
    """If a release reads another key, I make that one alone; a name that no pod reads is refused."""
    secret = yaml.safe_load(_command("exam", "ours", "postgres-owner-password", "web-keys.pem"))
    assert secret["data"].keys() == {"postgres-owner-password", "web-keys.pem"}
    with pytest.raises(subprocess.CalledProcessError) as raised:
        _command("exam", "ours", "postgres-pasword")
    assert "postgres-pasword is none of: secret-key " in raised.value.stderr
    assert not raised.value.stdout


@pytest.mark.integration
def test_a_secret_of_an_earlier_release_is_completed(control_plane, release_namespace) -> None:
    """If my Secret lacks keys that a release reads, helm refuses with the command that adds them and keeps others."""
    kept = min(KEYS)
    missing = sorted(KEYS - {kept})
    options = ("--dry-run=server", f"--kubeconfig={control_plane.kubeconfig}")
    control_plane.kubectl("create", "-f", "-", stdin=_command(release_namespace, "ours", kept))
    values = {"secrets": {"existingSecret": "ours"}, "exporters": {"enabled": True}}
    namespace = ("-n", release_namespace)
    try:
        before = yaml.safe_load(control_plane.kubectl(*namespace, "get", "secret", "ours", "--output=yaml"))
        with pytest.raises(RenderError, match=r"Secret exam/ours lacks keys that this release reads") as raised:
            render(values, arguments=options)
        words = str(raised.value).split("create-secret.sh ")[1].split(" | ")[0].split()
        assert (words[:2], sorted(words[2:])) == ([release_namespace, "ours"], missing)
        patch = ("patch", "secret", "ours", "--patch-file=/dev/stdin")
        control_plane.kubectl(*namespace, *patch, stdin=_command(*words))
        assert render(values, arguments=options)
        after = yaml.safe_load(control_plane.kubectl(*namespace, "get", "secret", "ours", "--output=yaml"))
        assert (after["data"].keys(), after["data"][kept]) == (KEYS, before["data"][kept])
    finally:
        control_plane.kubectl(*namespace, "delete", "secret", "ours")


@pytest.mark.integration
def test_secrets_are_generated_per_release(control_plane) -> None:
    """If I install two releases, each has the keys that the command makes, kept on uninstall; they share no value."""
    one, other = _generated(control_plane), _generated(control_plane)
    assert one["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert one["data"].keys() == KEYS
    assert all(one["data"][key] != other["data"][key] for key in KEYS)


@pytest.mark.integration
def test_a_secret_is_never_replaced(control_plane, release_namespace) -> None:
    """If the Secret exists, the command's output is rejected, and an upgrade keeps every value."""
    control_plane.kubectl("create", "-f", "-", stdin=_command(release_namespace, SECRET))
    try:
        with pytest.raises(Exception, match="already exists"):
            control_plane.kubectl("create", "-f", "-", stdin=_command(release_namespace, SECRET))
        kept = yaml.safe_load(control_plane.kubectl("-n", release_namespace, "get", "secret", SECRET, "--output=yaml"))
        assert _generated(control_plane)["data"] == kept["data"]
    finally:
        control_plane.kubectl("-n", release_namespace, "delete", "secret", SECRET)
