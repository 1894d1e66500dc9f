"""compose.yaml and what it mounts: every file is there, every name is known, and no secret is in them."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from ghostrouter.config import GraphConfig
from tests.cluster_files import manifests

COMPOSE: dict[str, Any] = yaml.safe_load((manifests.CLUSTER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((manifests.CLUSTER / "prometheus.yaml").read_text())
SERVED: dict[str, Any] = yaml.safe_load((manifests.CLUSTER / "serve_compose.yaml").read_text())


def mounts(service: str) -> dict[str, str]:
    """Of a service: the path in the container -> what is mounted there."""
    return {target: source for source, target, *_ in (v.split(":") for v in SERVICES[service].get("volumes", ()))}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> GraphConfig:
    for name, value in SERVICES["ghostrouter"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{.*?\}", "secret", value))
    return GraphConfig.parse(SERVED["applications"][0]["args"])


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_there(service: str) -> None:
    for source in mounts(service).values():
        assert (manifests.CLUSTER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_services_reach_each_other_by_names_that_exist(config: GraphConfig) -> None:
    urls = [config.journal.server, config.events.database, config.budgets.database, config.access.database]
    urls += [SERVICES["grafana"]["environment"]["PROMETHEUS_URL"]]
    targets = [t for s in PROMETHEUS["scrape_configs"] for c in s["static_configs"] for t in c["targets"]]
    hosts = {urlsplit(url or "").hostname for url in urls} | {t.split(":")[0] for t in targets}
    assert hosts == {"valkey", "postgres", "prometheus", "ghostrouter"}
    assert hosts <= set(SERVICES)
    assert all(set(s.get("depends_on", ())) <= set(SERVICES) for s in SERVICES.values())
    port = SERVED["http_options"]["port"]
    assert targets == [f"ghostrouter:{port}"]
    assert SERVICES["ghostrouter"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_strangers_need_a_key_and_prometheus_has_one(config: GraphConfig) -> None:
    assert config.access.required
    (caller,) = config.access.callers().values()
    assert caller.is_admin
    read = PROMETHEUS["scrape_configs"][0]["authorization"]["credentials_file"]
    (secret,) = SERVICES["prometheus"]["secrets"]
    assert read == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"][secret]["environment"] == config.access.keys[0].env


def test_prometheus_finds_its_files_where_they_are_mounted() -> None:
    found = mounts("prometheus")
    (asked,) = [c for c in SERVICES["prometheus"]["command"] if c.startswith("--config.file=")]
    assert asked.partition("=")[2] in found
    for rules in PROMETHEUS["rule_files"]:
        folder, _, name = rules.rpartition("/")
        assert (manifests.CLUSTER / found[folder] / name).is_file()


def test_secrets_must_be_given_and_nothing_listens_to_the_world() -> None:
    variables = {name: value for s in SERVICES.values() for name, value in s.get("environment", {}).items()}
    secret = {name: value for name, value in variables.items() if re.search("PASSWORD|KEY|DATABASE", name)}
    assert len(secret) == 4
    assert all(re.search(r"\$\{[A-Z_]+:\?\}", value) for value in secret.values()), secret
    ports = [port for s in SERVICES.values() for port in s.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_the_models_are_those_of_the_cluster(config: GraphConfig) -> None:
    of_cluster = GraphConfig.parse(manifests.serve_gpu()["applications"][0]["args"]).models
    assert [(m.name, m.source, m.engine_kwargs) for m in config.models] == [
        (m.name, m.source, m.engine_kwargs) for m in of_cluster
    ]
    assert SERVICES["ghostrouter"]["image"] == manifests.containers()[0]["image"]
