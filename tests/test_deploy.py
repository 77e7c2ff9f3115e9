"""The files of `deploy/`: what they bound and forbid, and that their programs accept them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import trustme
import yaml
from support.reverse_proxies import DEPLOY, uncommented, with_free_paths
from support.servers import PYTHON, ROOT, free_port

from chatapp.config import SETTINGS
from chatapp.transport.eio.limiter import BESIDE_SESSIONS

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
EXACT_TAG = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z]+)*(@sha256:[0-9a-f]{64})?")


@pytest.mark.parametrize("name", SERVICES)
def test_container_is_restricted(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 256
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["logging"]["options"]["max-size"]


def test_containers_do_not_run_as_root():
    built = {name for name, service in SERVICES.items() if "build" in service}
    assert built == {"node1", "node2", "node3"}  # the user is the Dockerfile's
    assert {SERVICES[name]["user"] for name in SERVICES.keys() - built} == {"redis", "nginx"}


def test_images_have_exact_tags():
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(images) == 4
    for image in images:
        assert EXACT_TAG.fullmatch(image), image


def test_redis_has_a_password_and_a_bound_and_cannot_be_reached_from_outside():
    redis = SERVICES["redis"]
    assert '--requirepass "$$REDIS_PASSWORD"' in redis["command"][-1]
    assert redis["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?")
    assert "--maxmemory-policy noeviction" in redis["command"][-1]
    megabytes = int(re.search(r"--maxmemory (\d+)mb", redis["command"][-1])[1])
    assert 2 * megabytes <= int(redis["mem_limit"].removesuffix("m"))
    assert "ports" not in redis
    assert redis["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("node1", "node2", "node3"):
        store = SERVICES[name]["environment"]["CHATAPP_STORE"]
        assert re.fullmatch(r"redis://:\$\{REDIS_PASSWORD:\?[^}]*\}@redis:6379/0", store)
        assert SERVICES[name]["depends_on"]["redis"]["condition"] == "service_healthy"


def test_only_nginx_has_ports():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]


def instructions(word: str) -> list[str]:
    """Return the arguments of an instruction in the last stage of the Dockerfile."""
    stage = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    return re.findall(rf"^{word} (.*)", stage, re.MULTILINE)


def test_image_can_write_its_store_and_runs_as_no_root():
    (user,), (volume,), (port,) = map(instructions, ("USER", "VOLUME", "EXPOSE"))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    settings = dict(pair.split("=", 1) for pair in instructions("ENV")[0].split())
    assert settings["CHATAPP_STORE"].startswith(f"sqlite:{volume}/")
    assert settings["CHATAPP_BIND"] == f"0.0.0.0:{port}"
    owner, group = user.split(":")
    install = next(line for line in instructions("RUN") if line.endswith(f" {volume}"))
    assert f"-o {owner} -g {group}" in install
    assert DOCKERFILE.index(install) < DOCKERFILE.index("VOLUME")  # else it would be lost


@pytest.mark.server
def test_health_check_of_the_image_tells_whether_the_chat_answers(serve):
    server = serve("command")
    (check,) = instructions("HEALTHCHECK")
    words = json.loads(check.partition(" CMD ")[2])
    for port, code in {server.port: 0, free_port(): 1}.items():
        command = [PYTHON, *(word.replace(":3000/", f":{port}/") for word in words[1:])]
        assert subprocess.run(command, capture_output=True, timeout=30).returncode == code


def unit() -> dict[str, list[str]]:
    """Return the settings of the systemd unit's service, each with its values."""
    found: dict[str, list[str]] = {}
    service = (DEPLOY / "chatapp@.service").read_text().partition("[Service]")[2]
    for name, value in re.findall(r"^(\w+)=(.*)$", service, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_unit_is_restricted():
    found = unit()
    for name in (
        *("MemoryMax", "MemoryHigh", "TasksMax", "LimitNOFILE", "CapabilityBoundingSet"),
        *("RestrictAddressFamilies", "SystemCallFilter"),
    ):
        assert name in found
    for name in (
        *("DynamicUser", "NoNewPrivileges", "RestrictSUIDSGID", "MemoryDenyWriteExecute"),
        *("PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectHome", "RestrictNamespaces"),
        *("ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups"),
    ):
        assert found[name] == ["yes"], name
    assert found["ProtectSystem"] == ["strict"]
    drain_time = int(SETTINGS["DRAIN_TIME"].default)
    assert int(found["TimeoutStopSec"][0]) > drain_time + 5


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_unit_has_a_low_exposure():
    file = DEPLOY / "chatapp@.service"
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(file)]
    found = subprocess.run(words, capture_output=True, text=True)
    if "unrecognized option" in found.stderr:
        pytest.skip("systemd is older than 250")
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", ["nginx.conf", "haproxy.cfg"])
def test_proxy_bounds_what_one_client_has_open(name):
    """The bound is the one that a node has itself by default."""
    sessions = int(SETTINGS["MAX_CONNECTIONS_PER_ADDRESS"].default)
    pattern = {"nginx.conf": r"limit_conn clients (\d+);", "haproxy.cfg": r"conn_cur\(0\) gt (\d+)"}
    (bound,) = re.findall(pattern[name], (DEPLOY / name).read_text())
    assert int(bound) == 2 * sessions + BESIDE_SESSIONS


def test_snippet_in_the_documents_sets_the_same_headers():
    """With a client's X-Forwarded-Prefix, a cache could keep a wrong page for others."""
    document = (ROOT / "docs" / "operating.md").read_text()
    pattern = r"^    proxy_set_header (X-Forwarded-\S+|Host) (.*);$"
    whole = re.findall(pattern, (DEPLOY / "nginx.conf").read_text(), re.MULTILINE)
    snippet = re.findall(pattern.replace("    ", " {8}"), document, re.MULTILINE)
    assert ("X-Forwarded-Prefix", '""') in whole
    assert snippet == whole


def accepts(*words: str) -> None:
    """Check that a program accepts its configuration."""
    program = shutil.which(words[0]) or f"/usr/sbin/{words[0]}"
    found = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr


def with_certificate(text: str, folder: Path) -> str:
    authority = trustme.CA()
    certificate = authority.issue_cert("chat.example")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "site.pem")
    return re.sub(r"/etc/[\w/.-]*\.pem", str(folder / "site.pem"), text)


def nginx_accepts(text: str, folder: Path) -> None:
    text = with_certificate(with_free_paths(text, folder), folder)
    text = re.sub(r"listen (\[::\]:)?\d+", lambda _: f"listen 127.0.0.1:{free_port()}", text)
    file = folder / "nginx.conf"
    file.write_text(text)
    accepts("nginx", "-t", "-c", str(file))


@pytest.mark.server
@pytest.mark.parametrize("everything", [False, True], ids=["as it is", "all blocks on"])
def test_nginx_accepts_its_configuration(tmp_path, everything):
    text = (DEPLOY / "nginx.conf").read_text()
    if everything:
        text = uncommented(text)
        assert "\n    server {\n        listen 443" in text
        assert "\n        location /chat/ {\n            proxy_set_header" in text
        assert not re.search(r"^ *#[^ #\n]", text, re.MULTILINE)
    nginx_accepts(text, tmp_path)


@pytest.mark.server
def test_nginx_accepts_the_configuration_of_its_container(tmp_path):
    script = SERVICES["nginx"]["command"][-1]
    change = script[: script.index(" /chat.conf")]
    command = f"{change} {DEPLOY / 'nginx.conf'}"
    text = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert [f"node{number}:3000" in text for number in (1, 2, 3)] == [True] * 3
    assert not re.search(r"127\.0\.0\.1|^user|/run/|/var/", text, re.MULTILINE)
    nginx_accepts(re.sub(r"node\d:3000", "127.0.0.1:3000", text), tmp_path)


@pytest.mark.server
@pytest.mark.full
@pytest.mark.parametrize("everything", [False, True], ids=["as it is", "all blocks on"])
def test_haproxy_accepts_its_configuration(tmp_path, everything):
    text = (DEPLOY / "haproxy.cfg").read_text()
    text = with_certificate(uncommented(text) if everything else text, tmp_path)
    (tmp_path / "haproxy.cfg").write_text(text)
    accepts("haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg"))


@pytest.mark.server
@pytest.mark.full
def test_caddy_accepts_its_configuration():
    file = str(DEPLOY / "Caddyfile")
    accepts("caddy", "validate", "--config", file, "--adapter", "caddyfile")
