"""State that moves by commands."""

from __future__ import annotations

import json

from seeknal.statefile import read_state
from tests.contract.redis_harness import shared_server
from tests.integration.conftest import state_of
from tests.projects import Sandbox


def use_redis(shop: Sandbox, project: str) -> None:
    file = shop.root / "seeknal_project.yml"
    file.write_text(f"name: {project}\nredis_url: {shared_server().url}\n")


def test_a_project_moves_to_redis_and_back_by_commands(shop: Sandbox, project: str) -> None:
    before = state_of(shop)
    (shop.root / "seeknal_project.yml").write_text(f"name: {project}\n")
    assert shop.seeknal("state", "export", "state.json").lines == ["Exported 1 flow to state.json."]
    use_redis(shop, project)
    imported = shop.seeknal("state", "import", "state.json", "--reason", "Moved")
    assert imported.lines == ["events_flow: imported 10 completed intervals; 2 restatements."]
    assert state_of(shop) == before
    with shop.store() as store:
        assert {(e.action, e.reason) for e in store.audit()} == {("import", "Moved")}
    mirror = json.loads((shop.root / "target" / "run_state.json").read_text())
    assert mirror["flows"]["events_flow"]["counts"]["completed"] == 10
    shop.seeknal("state", "export", "back.json")
    (shop.root / "target" / "state.db").unlink()
    (shop.root / "seeknal_project.yml").write_text(f"name: {project}\n")
    shop.seeknal("state", "import", "back.json")
    assert state_of(shop) == before


def test_the_redis_can_be_named(shop: Sandbox, project: str) -> None:
    (shop.root / "seeknal_project.yml").write_text(f"name: {project}\n")
    url = shared_server().url
    before = state_of(shop)
    shop.seeknal("state", "export", "state.json")
    shop.seeknal("state", "import", "state.json", "--redis", url)
    shop.seeknal("state", "export", "again.json", "--redis", url)
    assert read_state(shop.root / "again.json").flows["events_flow"].state == before
    assert "10 known already" in shop.seeknal("state", "rebuild", "--redis", url).out


def test_a_file_of_another_project_changes_nothing(shop: Sandbox) -> None:
    shop.seeknal("state", "export", "state.json")
    file = shop.root / "state.json"
    file.write_text(file.read_text().replace('"acceptance"', '"another"'))
    with shop.store() as store:
        audited = store.audit()
    refused = shop.seeknal("state", "import", "state.json", code=2)
    assert "holds the state of the project 'another', not of 'acceptance'" in refused.err
    cut = file.read_bytes()[:-20]
    file.write_bytes(cut)
    assert "cut off" in shop.seeknal("state", "import", "state.json", code=2).err
    with shop.store() as store:
        assert store.audit() == audited
