"""kube-score: what other people have learned to look for in manifests."""

import json
import subprocess

import yaml

from exam_harness.environments.builds.binaries import program

IGNORED = {
    "container-image-pull-policy": "images are named by what they are made of, never :latest; Always is a value",
    "container-resources": "no processor limits: throttling a solver in a sitting helps nobody; memory is limited",
    "container-ephemeral-storage-request-and-limit": "roots are read-only, and what is written goes to small volumes",
    "container-security-context-user-group-id": "the official images of stores have numbers below 10000",
    "deployment-has-poddisruptionbudget": "those of solver and graders are the operator's",
    "statefulset-has-servicename": "the Service stands in the same release",
    "pod-probes-identical": "a store that does not answer is neither ready nor alive",
    "networkpolicy-targets-pod": "the pods of grading Jobs are made by the operator",
}


def test_kube_score_finds_nothing_critical(plain) -> None:
    """If kube-score looks at the chart, it has nothing critical to say but what is decided otherwise, for a reason."""
    words = [str(program("kube-score")), "score", "--output-format=json", "-"]
    text = yaml.safe_dump_all(each for each in plain if each["kind"] != "CustomResourceDefinition")
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    found = {
        (check["check"]["id"], scored["object_name"], comment["summary"])
        for scored in json.loads(done.stdout)
        for check in scored["checks"]
        if check["grade"] == 1 and not check["skipped"]
        for comment in check["comments"] or [{"summary": ""}]
    }
    assert not {each for each in found if each[0] not in IGNORED}
    assert {each[0] for each in found} == IGNORED.keys()
