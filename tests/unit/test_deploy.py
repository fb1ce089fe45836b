"""The files that deploy Seeknal: valid by their schemas, and by what they promise."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Literal

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from compose_spec import PyCompose
from packaging.requirements import Requirement
from packaging.version import Version
from pydantic import BaseModel, ConfigDict, Field

import seeknal
from seeknal.config import Settings
from seeknal.executors.celery import make_app
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_keys import COMMANDS
from tests.deployment import (
    ACL,
    COMPOSE,
    KEDA,
    KUBERNETES,
    ROOT,
    compose,
    containers,
    documents,
    parse,
    shell_commands,
    the,
)

DOCKERFILE = (ROOT / "Dockerfile").read_text()
DOCS = ROOT / "docs" / "deploy.md"
IMAGE = f"seeknal:{seeknal.__version__}"


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


# -- Docker ----------------------------------------------------------------------------------


def test_the_image_is_pinned_and_not_root() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases[0])
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER \$UID$", last, re.MULTILINE)
    assert re.search(r"^ARG UID=[1-9]\d+$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["seeknal"]' in last


def test_the_image_is_built_of_what_is_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_the_constraints_fit_what_the_package_asks_for() -> None:
    lines = (ROOT / "deploy" / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert list(pinned) == sorted(pinned)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"]:
        asked = Requirement(text)
        assert asked.specifier.contains(Version(pinned[asked.name])), text


def test_variables_of_the_image_are_settings() -> None:
    known = {f"SEEKNAL_{name.upper()}" for name in Settings.model_fields}
    for text in (DOCKERFILE, *(p.read_text() for p in (COMPOSE, KUBERNETES, KEDA))):
        used = set(re.findall(r"\bSEEKNAL_[A-Z_]+", text)) - {"SEEKNAL_FOLDER"}
        assert used <= known


# -- Compose ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose(REDIS_PASSWORD="pw")["services"]
    return found


def test_compose_fits_its_specification() -> None:
    spec = PyCompose.from_yaml(yaml.safe_dump(compose(REDIS_PASSWORD="pw")))
    spec.validate()
    assert set(spec.service_names()) == {"redis", "worker", "seeknal"}


def test_compose_takes_its_password_from_the_environment() -> None:
    assert re.findall(r"\$\{REDIS_PASSWORD[^}?]*\}", COMPOSE.read_text()) == []
    with pytest.raises(AssertionError, match="REDIS_PASSWORD is asked for"):
        compose()


def test_the_data_are_shared_by_a_volume_or_a_folder() -> None:
    named = compose(REDIS_PASSWORD="pw")
    assert "data" in named["volumes"]
    folder = compose(REDIS_PASSWORD="pw", SEEKNAL_FOLDER="/srv/shop")
    for content, source in ((named, "data"), (folder, "/srv/shop")):
        for name in ("worker", "seeknal"):
            assert f"{source}:/data" in content["services"][name]["volumes"]


def test_workers_scale_and_are_not_privileged(services: dict[str, Any]) -> None:
    worker = services["worker"]
    # Its health check names it as the first process of its container.
    assert not {"container_name", "ports", "hostname", "init", "pid"} & set(worker)
    for name in ("worker", "seeknal"):
        assert services[name]["image"] == IMAGE
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    limits = worker["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}


def test_whoever_stops_has_the_time_to(services: dict[str, Any]) -> None:
    worker = services["worker"]
    grace = float(worker["environment"]["SEEKNAL_GRACE"])
    needed = make_app("redis://x", grace=grace).conf.worker_soft_shutdown_timeout
    assert seconds(worker["stop_grace_period"]) > needed + 5
    pod = the("Deployment")["spec"]["template"]["spec"]
    (container,) = containers(the("Deployment"))
    (given,) = (each["value"] for each in container["env"] if each["name"] == "SEEKNAL_GRACE")
    assert float(given) == grace
    assert pod["terminationGracePeriodSeconds"] > needed + 5


def test_all_services_say_whether_they_are_well(services: dict[str, Any]) -> None:
    for name in ("redis", "worker"):
        assert services[name]["healthcheck"]["test"][0] == "CMD-SHELL"
    for name in ("worker", "seeknal"):
        assert services[name]["depends_on"]["redis"]["condition"] == "service_healthy"


# -- Kubernetes ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [d["kind"] for d in documents(KUBERNETES)])
def test_kubernetes_fits_its_schema(kind: str) -> None:
    versions = ("1.30", "1.37")
    for version in versions:
        assert kubernetes_validate.validate(the(kind), version, strict=True)


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_pods_are_bounded_and_not_privileged(kind: str) -> None:
    (container,) = containers(the(kind))
    assert container["image"] == IMAGE
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    text = yaml.safe_dump(the(kind))
    assert "runAsNonRoot: true" in text
    uid = re.search(r"^ARG UID=(\d+)$", DOCKERFILE, re.MULTILINE)
    assert uid is not None
    assert f"runAsUser: {uid[1]}" in text


def test_secrets_are_named_and_not_there() -> None:
    for kind in ("Deployment", "CronJob"):
        (container,) = containers(the(kind))
        env = {each["name"]: each for each in container["env"]}
        reference = env["SEEKNAL_REDIS_URL"]["valueFrom"]["secretKeyRef"]
        assert reference == {"name": "seeknal-redis", "key": "url"}
    (asked,) = the("TriggerAuthentication")["spec"]["secretTargetRef"]
    assert asked["name"] == "seeknal-redis"
    assert not any(d["kind"] == "Secret" for path in (KUBERNETES, KEDA) for d in documents(path))


def test_metrics_are_served_where_they_are_looked_for(services: dict[str, Any]) -> None:
    port = services["worker"]["environment"]["SEEKNAL_METRICS_PORT"]
    assert services["worker"]["expose"] == [port]
    template = the("Deployment")["spec"]["template"]
    (container,) = containers(the("Deployment"))
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["SEEKNAL_METRICS_PORT"] == port
    assert [str(each["containerPort"]) for each in container["ports"]] == [port]
    assert template["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": port,
    }
    assert f"--metrics-port\n{port}" in DOCS.read_text()
    assert f"        port: {port}" in DOCS.read_text()


def test_probes_do_not_end_a_worker_whose_redis_is_away() -> None:
    (container,) = containers(the("Deployment"))
    assert {"startupProbe", "readinessProbe"} <= set(container)
    assert "livenessProbe" not in container


# -- KEDA ------------------------------------------------------------------------------------


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Metadata(Strict):
    """What KEDA's redis scaler reads of a trigger; all of it is text."""

    address: str
    username: str
    listName: str  # noqa: N815
    databaseIndex: str = Field(pattern=r"^\d+$")  # noqa: N815
    enableTLS: Literal["true", "false"]  # noqa: N815
    listLength: str = Field(pattern=r"^\d+$")  # noqa: N815
    activationListLength: str = Field(pattern=r"^\d+$")  # noqa: N815


class Trigger(Strict):
    type: Literal["redis"]
    metadata: Metadata
    authenticationRef: dict[Literal["name"], str]  # noqa: N815


class ScaledObject(Strict):
    """What is used of KEDA's ScaledObject."""

    scaleTargetRef: dict[Literal["name"], str]  # noqa: N815
    minReplicaCount: int  # noqa: N815
    maxReplicaCount: int  # noqa: N815
    pollingInterval: int  # noqa: N815
    cooldownPeriod: int  # noqa: N815
    advanced: dict[Literal["horizontalPodAutoscalerConfig"], Any]
    triggers: list[Trigger]


def test_keda_scales_the_workers_by_the_unfinished_units() -> None:
    document = the("ScaledObject")
    assert document["apiVersion"] == "keda.sh/v1alpha1"
    scaled = ScaledObject.model_validate(document["spec"])
    assert scaled.scaleTargetRef == {"name": the("Deployment")["metadata"]["name"]}
    (trigger,) = scaled.triggers
    store = RedisStore("redis://x", "shop")
    assert trigger.metadata.listName == store.pending_key
    name = the("TriggerAuthentication")["metadata"]["name"]
    assert trigger.authenticationRef == {"name": name}


# -- commands --------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    """Every command of Seeknal in the files."""
    services = compose(REDIS_PASSWORD="pw")["services"]
    found = [each["command"] for each in services.values() if each["image"] == IMAGE]
    found += [containers(the(kind))[0]["args"] for kind in ("Deployment", "CronJob")]
    texts = [DOCKERFILE, *(path.read_text() for path in (COMPOSE, KUBERNETES, KEDA))]
    for text in texts:
        comments = re.sub(r"^# ? ? ?", "", text, flags=re.MULTILINE)
        found += shell_commands(comments)
    for block in re.findall(r"```(?:bash|yaml)\n(.*?)```", DOCS.read_text(), re.DOTALL):
        found += shell_commands(block)
    return found


def test_there_are_commands() -> None:
    assert ["worker", "--concurrency", "2", "--log-level", "info"] in commands()
    assert ["run", "--backfill"] in commands()


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_can_be_typed(arguments: list[str]) -> None:
    parse(arguments)


@pytest.mark.parametrize("arguments", [["runs", "lost"], ["run", "--fast"], ["worker", "x"]])
def test_what_cannot_be_typed_is_noticed(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"no command|No such option|unexpected"):
        parse(arguments)


# -- the least rights ------------------------------------------------------------------------


def users() -> dict[str, list[str]]:
    lines = [line.split() for line in ACL.read_text().splitlines()]
    assert all(words[0] == "user" for words in lines)
    return {words[1]: words[2:] for words in lines}


def test_the_acl_allows_what_the_store_needs_and_nothing_dangerous() -> None:
    rules = users()["seeknal"]
    allowed = {rule[1:] for rule in rules if rule.startswith("+")}
    assert set(COMMANDS.split()) <= allowed
    assert "-@all" in rules
    never = {"@", "flush", "config", "keys", "acl", "debug", "shutdown", "eval", "module", "save"}
    risky = [each for each in allowed if each != "evalsha" and any(n in each for n in never)]
    assert risky == []
    assert users()["default"] == ["off"]


def test_no_password_is_in_the_acl() -> None:
    assert re.findall(r" >\S+| nopass", ACL.read_text()) == []
