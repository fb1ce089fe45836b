"""Projects: made, found, refused; where their things are; and the machine's settings."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seeknal.config import load_settings
from seeknal.environment import expand
from seeknal.errors import ConfigError, DataUnavailableError, SeeknalError, UsageError
from seeknal.files import create_once, write_atomic
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.home import set_current_home
from seeknal.project import Project, current_project
from seeknal.tasks.duckdb import DuckDBTask
from tests.raising import raising

FILE = "seeknal_project.yml"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("SEEKNAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    set_current_home(None)
    yield
    set_current_home(None)


def declare(text: str, root: Path = Path()) -> Project:
    root.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(text)
    return Project.find(root)


def flow(name: str = "f", kind: str = "csv", value: str = "x.csv", out: str | None = None) -> Flow:
    return Flow(
        name=name,
        input=FlowInput(kind=kind, value=value),  # type: ignore[arg-type]
        tasks=[DuckDBTask().add_sql("SELECT 1")],
        output=FlowOutput(value=out),
    )


class TestMaking:
    def test_it_writes_the_file_and_the_folders_and_becomes_current(self, tmp_path: Path) -> None:
        project = Project(name="ecommerce")
        assert project.get_or_create() is project
        assert (tmp_path / FILE).read_text() == "name: ecommerce\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["flows", FILE, "target"]
        current = current_project()
        assert current is not None
        assert (current.name, current.root) == ("ecommerce", tmp_path)

    def test_an_existing_one_is_loaded_and_not_touched(self, tmp_path: Path) -> None:
        (tmp_path / FILE).write_text("# Ours.\nname: p\n")
        Project(name="p").get_or_create()
        assert (tmp_path / FILE).read_text() == "# Ours.\nname: p\n"

    def test_another_name_in_the_same_folder_is_refused(self, tmp_path: Path) -> None:
        Project(name="a").get_or_create()
        set_current_home(None)
        with pytest.raises(ConfigError, match=r"holds the project 'a', not 'b'; use that name, or"):
            Project(name="b").get_or_create()
        assert (tmp_path / FILE).read_text() == "name: a\n"
        assert current_project() is None

    def test_a_path_is_made_and_is_its_own_project_whatever_is_above(self, tmp_path: Path) -> None:
        Project(name="outer").get_or_create()
        inner = Project(name="inner").get_or_create("deep/inner")
        assert inner.root == tmp_path / "deep" / "inner"

    def test_without_a_path_the_nearest_one_upwards_is_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Project(name="p").get_or_create()
        monkeypatch.chdir("flows")
        assert Project(name="p").get_or_create().root == tmp_path

    def test_of_many_at_once_one_makes_it(self, tmp_path: Path) -> None:
        outcomes: list[str] = []

        def make(name: str) -> None:
            try:
                outcomes.append(Project(name=name).get_or_create("p").name)
            except ConfigError:
                outcomes.append("refused")

        threads = [threading.Thread(target=make, args=(name,)) for name in "aabb" * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = Project.find("p").name
        assert outcomes.count(made) == 6
        assert outcomes.count("refused") == 6
        assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["flows", FILE, "target"]

    @pytest.mark.parametrize("name", ["", "a/b", "a b", "it's", "-x", "a" * 101, "é", None, 5])
    def test_a_name_that_is_none_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"^Project: .*name"):
            Project(name=name)

    def test_a_project_that_is_not_open_says_so(self) -> None:
        with pytest.raises(UsageError, match="The project 'p' is not open; call get_or_create"):
            _ = Project(name="p").target

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(
            ConfigError, match=r"Cannot write .*file/p: Not a directory; a file stands"
        ):
            Project(name="p").get_or_create("file/p")


class TestFinding:
    def test_by_walking_up_and_by_the_files_own_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Project(name="p").get_or_create("p")
        set_current_home(None)
        assert Project.find("p/flows").root == tmp_path / "p"
        assert Project.load(tmp_path / "p" / FILE).name == "p"
        assert current_project() is None
        monkeypatch.chdir("p/target")
        assert Project.find().root == tmp_path / "p"

    def test_by_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Project(name="p").get_or_create("p")
        monkeypatch.setenv("SEEKNAL_PROJECT", "p")
        assert Project.find().root == tmp_path / "p"

    def test_nothing_found_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"There is no project in .* run 'seeknal init'"):
            Project.find()
        with pytest.raises(ConfigError, match=r"There is no folder .*/nowhere; give a project's"):
            Project.find("nowhere")
        for path in ("a\0b", 5):
            with pytest.raises(UsageError, match="is not a path; give a folder's"):
                Project.find(path)  # type: ignore[arg-type]

    def test_a_working_folder_that_is_gone_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir("gone")
        (tmp_path / "gone").rmdir()
        try:
            with pytest.raises(ConfigError, match="The working folder is gone"):
                Project.find()
        finally:
            monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        ("text", "part"),
        [("", "line 1: the file must be a mapping"), ("name: [", "not valid YAML"),
         ("name: p\nconections: {}\n", "line 2: unknown field 'conections'; did you mean 'connec")],
    )  # fmt: skip
    def test_a_broken_file_is_said_with_its_path(
        self, text: str, part: str, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            declare(text)
        assert f"{tmp_path / FILE}, line" in str(caught.value)
        assert part in str(caught.value)


class TestFlows:
    def test_one_broken_file_hides_no_other(self) -> None:
        project = Project(name="p").get_or_create()
        flow("a")
        flow("c")
        Path("flows/b.yml").write_text("name: b\nshedule: x\n")
        flows, errors = project.check_flows()
        assert [each.name for each in flows] == ["a", "c"]
        assert len(errors) == 1
        assert "flows/b.yml, line 2: unknown field 'shedule'; did you mean" in str(errors[0])
        assert [file.name for file in project.flow_files()] == ["a", "b", "c"]
        assert project.flow("c").name == "c"
        with pytest.raises(ConfigError, match=r"flows/b\.yml"):
            project.flows()

    def test_backups_and_hidden_files_are_no_flows(self) -> None:
        project = Project(name="p").get_or_create()
        flow("a")
        for name in (".a.yml", "a.yml~", "a.yml.bak", "README.md", ".a.yml.1.tmp"):
            Path("flows", name).write_text("- no flow\n")
        assert [each.name for each in project.flows()] == ["a"]

    def test_a_project_whose_flows_folder_is_gone_has_none(self) -> None:
        project = Project(name="p").get_or_create()
        Path("flows").rmdir()
        assert project.flows() == []
        flow("a")
        assert [each.name for each in project.flows()] == ["a"]


class TestPlaces:
    def test_a_database_is_found_by_its_name(self, tmp_path: Path) -> None:
        project = Project(name="p").get_or_create()
        with pytest.raises(DataUnavailableError) as caught:
            project.resolve_database("raw_events")
        for place in (tmp_path / "raw_events.duckdb", tmp_path / "data" / "raw_events.duckdb"):
            assert str(place) in str(caught.value)
            place.parent.mkdir(exist_ok=True)
        (tmp_path / "data" / "raw_events.duckdb").touch()
        assert project.resolve_database("raw_events") == tmp_path / "data" / "raw_events.duckdb"
        (tmp_path / "raw_events.duckdb").touch()
        assert project.resolve_database("raw_events") == tmp_path / "raw_events.duckdb"
        assert project.resolve_database("data/raw_events.duckdb").parent.name == "data"

    def test_a_connection_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = declare(
            "name: p\nconnections:\n  warehouse: {kind: duckdb, path: '${WAREHOUSE}/x.duckdb'}\n"
        )
        (tmp_path / "warehouse.duckdb").touch()
        with pytest.raises(ConfigError, match="variable WAREHOUSE, which is not set; set it"):
            project.resolve_database("warehouse")
        monkeypatch.setenv("WAREHOUSE", "db")
        with pytest.raises(DataUnavailableError, match=r"looked for .*/db/x\.duckdb\. Put"):
            project.resolve_database("warehouse")
        (tmp_path / "db").mkdir()
        (tmp_path / "db" / "x.duckdb").touch()
        assert project.resolve_database("warehouse") == tmp_path / "db" / "x.duckdb"

    def test_output_is_under_the_data_root(self, tmp_path: Path) -> None:
        project = Project(name="p").get_or_create()
        assert project.output_path(flow()) == tmp_path / "target" / "output" / "f"
        assert project.output_path(flow(out="o")) == tmp_path / "o"
        assert project.output_path(flow(out="/abs/o")) == Path("/abs/o")
        with pytest.raises(UsageError, match="writes to 's3://b/o'; this version writes to"):
            project.output_path(flow(out="s3://b/o"))

    def test_an_output_that_is_not_kept_has_no_place(self) -> None:
        project = Project(name="p").get_or_create()
        nothing = Flow.from_spec(flow().to_spec() | {"output": {"kind": "none"}})
        with pytest.raises(UsageError, match="'f' keeps no output"):
            project.output_path(nothing)

    def test_files_are_found_from_the_data_root(self, tmp_path: Path) -> None:
        project = Project(name="p").get_or_create()
        assert project.resolve_paths(flow(value="d/*.csv")) == (f"{tmp_path}/d/*.csv",)
        assert project.resolve_paths(flow(value="../x.csv")) == (f"{tmp_path.parent}/x.csv",)
        assert project.resolve_paths(flow(value="s3://b/*.csv")) == ("s3://b/*.csv",)

    def test_the_data_root_is_the_machines_before_the_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert declare("name: p\n").data_root == tmp_path
        assert declare("name: p\ndata_root: lake\n").data_root == tmp_path / "lake"
        monkeypatch.setenv("SEEKNAL_DATA_ROOT", "/mnt/lake")
        assert Project.find().data_root == Path("/mnt/lake")

    def test_the_store_is_in_target(self, tmp_path: Path) -> None:
        Project(name="p").get_or_create().open_store().close()
        assert (tmp_path / "target" / "state.db").exists()

    def test_a_store_that_is_not_there_is_not_replaced_by_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = declare("name: p\nredis_url: redis://:${SECRET}@h/0\n")
        monkeypatch.setenv("SECRET", "hunter2")
        assert project.redis_url == "redis://:hunter2@h/0"
        with pytest.raises(SeeknalError) as caught:
            project.open_store().flows()
        assert "hunter2" not in str(caught.value)


class TestSettings:
    def test_defaults(self) -> None:
        settings = load_settings()
        assert (settings.lease, settings.redis_url, settings.project) == (30.0, None, None)

    def test_they_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEEKNAL_LEASE", "2.5")
        monkeypatch.setenv("SEEKNAL_REDIS_URL", "rediss://h:1/2")
        monkeypatch.setenv("SEEKNAL_DATA_ROOT", "")
        settings = load_settings()
        assert settings.lease == 2.5
        assert settings.redis_url == "rediss://h:1/2"
        assert settings.data_root is None

    @pytest.mark.parametrize(
        ("name", "value", "part"),
        [("SEEKNAL_REDIS_ULR", "x", "SEEKNAL_REDIS_ULR; did you mean SEEKNAL_REDIS_URL?"),
         ("SEEKNAL_XYZZY", "x", "SEEKNAL_XYZZY; known ones: SEEKNAL_PROJECT,"),
         ("SEEKNAL_LEASE", "soon", "SEEKNAL_LEASE ('soon') is not valid; give seconds from 1"),
         ("SEEKNAL_LEASE", "0", "SEEKNAL_LEASE ('0') is not valid"),
         ("SEEKNAL_LEASE", "nan", "SEEKNAL_LEASE ('nan') is not valid"),
         ("SEEKNAL_REDIS_URL", "hunter2@h", "SEEKNAL_REDIS_URL is not valid; give a URL such as")],
    )  # fmt: skip
    def test_a_mistake_names_the_variable(
        self, name: str, value: str, part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError) as caught:
            load_settings()
        assert part in str(caught.value)
        assert "hunter2" not in str(caught.value)

    def test_a_reference_must_be_a_name(self) -> None:
        with pytest.raises(ConfigError, match=r"x: '\$\{a b\}' does not name an environment"):
            expand("${a b}", "x")
        assert expand("$PLAIN", "x") == "$PLAIN"


class TestFiles:
    def failing(self, monkeypatch: pytest.MonkeyPatch, where: str, number: int) -> None:
        monkeypatch.setattr(where, raising(OSError(number, os.strerror(number))))

    @pytest.mark.parametrize("write", [write_atomic, create_once])
    def test_a_full_disk_leaves_nothing_behind(
        self, write: Callable[[Path, str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.failing(monkeypatch, "os.fsync", 28)
        with pytest.raises(ConfigError, match=r"Cannot write .*/x: No space left on device; make"):
            write(tmp_path / "x", "text")
        assert list(tmp_path.iterdir()) == []

    def test_what_was_there_stays_when_the_replacement_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_atomic(tmp_path / "x", "old")
        self.failing(monkeypatch, "pathlib.Path.replace", 13)
        with pytest.raises(ConfigError, match="Permission denied"):
            write_atomic(tmp_path / "x", "new")
        assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "old")]

    def test_a_file_is_made_once_where_there_are_no_links(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.failing(monkeypatch, "pathlib.Path.hardlink_to", 1)
        assert create_once(tmp_path / "x", "first")
        assert not create_once(tmp_path / "x", "second")
        assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "first")]


def test_the_specs_import_neither_the_engine_nor_a_broker() -> None:
    code = (
        "import sys, seeknal.project, seeknal.mirror\n"
        "heavy = {'duckdb', 'sqlglot', 'celery', 'redis', 'typer', 'rich', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
