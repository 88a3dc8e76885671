"""Writing: the old or the new, whatever breaks, and never in the place of something else."""

import os
from pathlib import Path

import pytest

from smash.errors import OutputError
from smash.files import make_folder, replacing, replacing_folder, write_json, write_text
from smash.outputs import check_files, check_folder, check_name

PARTS = ("model.json", "weights")


def contents(folder: Path) -> dict[str, str | None]:
    """Returns all that lies below a folder, with what is in it."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def saved(tmp_path) -> Path:
    """A folder that was written here, in another with things of somebody else's."""
    write_text(tmp_path / "mine.txt", "mine")
    with replacing_folder(tmp_path / "saved", PARTS) as beside:
        write_text(beside / "model.json", "old")
    return tmp_path / "saved"


def test_a_file_and_a_folder_take_the_place_of_older_ones_and_nothing_else_changes(saved):
    before = contents(saved.parent)
    write_text(saved.parent / "mine.txt", "new")
    with replacing_folder(saved, PARTS) as beside:
        assert contents(saved) == {"model.json": "old"}  # until the new one is whole
        write_text(beside / "model.json", "new")
        write_text(beside / "weights", "1")
    assert contents(saved.parent) == before | {
        "mine.txt": "new",
        "saved/model.json": "new",
        "saved/weights": "1",
    }


def begin_folder(folder: Path, error: BaseException) -> None:
    with replacing_folder(folder, PARTS) as beside:
        write_text(beside / "model.json", "new")
        raise error


def begin_file(path: Path, error: BaseException) -> None:
    with replacing(path) as beside:
        beside.write_text("half")
        raise error


@pytest.mark.parametrize(("name", "begin"), [("saved", begin_folder), ("mine.txt", begin_file)])
def test_what_breaks_half_way_leaves_the_old(saved, name, begin):
    before = contents(saved.parent)
    with pytest.raises(OutputError, match=rf"{name}: cannot be written \(No space left"):
        begin(saved.parent / name, OSError(28, "No space left on device"))
    with pytest.raises(KeyboardInterrupt):
        begin(saved.parent / name, KeyboardInterrupt())
    assert contents(saved.parent) == before


@pytest.mark.parametrize("at", ["arriving", "after"])
def test_an_exchange_that_breaks_puts_the_old_folder_back(saved, monkeypatch, at):
    before, rename = contents(saved.parent), Path.rename

    def breaking(path, target):
        if path.name == "saved" and target == saved:
            raise KeyboardInterrupt if at == "arriving" else OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", breaking)
    with (
        pytest.raises((OutputError, KeyboardInterrupt)),
        replacing_folder(saved, PARTS) as beside,
    ):
        write_text(beside / "model.json", "new")
    monkeypatch.undo()
    assert contents(saved.parent) == before


FOREIGN = {
    "a stranger among them": ("notes.md", "holds notes.md"),
    "a hidden one": (".git", "holds .git"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_folder_with_more_than_what_is_written_there_stays(saved, case):
    name, message = FOREIGN[case]
    (saved / name).write_text("mine")
    before = contents(saved.parent)
    with pytest.raises(OutputError, match=message), replacing_folder(saved, PARTS):
        pass
    assert contents(saved.parent) == before


def test_a_folder_without_what_marks_it_stays_even_if_names_agree(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "weights").write_text("of a boat")
    with (
        pytest.raises(OutputError, match="holds weights"),
        replacing_folder(tmp_path / "mine", PARTS),
    ):
        pass
    assert (tmp_path / "mine" / "weights").read_text() == "of a boat"


def test_leftovers_of_a_killed_process_and_empty_folders_are_no_obstacle(saved, tmp_path):
    (saved / ".weights.abc123.tmp").mkdir()
    (tmp_path / "empty").mkdir()
    for folder in (saved, tmp_path / "empty"):
        with replacing_folder(folder, PARTS) as beside:
            write_text(beside / "model.json", "new")
        assert contents(folder) == {"model.json": "new"}


def test_temporary_names_never_meet_a_user_s_file(tmp_path):
    (tmp_path / f".a.txt.{os.getpid()}.tmp").write_text("mine")
    write_text(tmp_path / "a.txt", "new")
    assert contents(tmp_path) == {f".a.txt.{os.getpid()}.tmp": "mine", "a.txt": "new"}


def test_a_file_is_not_written_in_the_place_of_a_folder_or_a_pipe(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OutputError, match="name a file"):
            write_json(tmp_path / name, {})
    with (
        pytest.raises(OutputError, match="name a folder"),
        replacing_folder(tmp_path / "folder" / "mine", PARTS),
    ):
        pass
    assert (tmp_path / "folder" / "mine").read_text() == "mine"
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "file.txt")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "saved")
    write_text(tmp_path / "link.txt", "new")
    with replacing_folder(tmp_path / "link", PARTS) as beside:
        write_text(beside / "model.json", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "far") == {
        "file.txt": "new",
        "saved": None,
        "saved/model.json": "new",
    }


@pytest.fixture
def synced(monkeypatch) -> list[tuple[str, str]]:
    """What was flushed to disk and what was renamed, by name, in order."""
    calls: list[tuple[str, str]] = []
    fsync, replace, rename = os.fsync, Path.replace, Path.rename
    monkeypatch.setattr(
        os, "fsync", lambda f: (calls.append(("sync", os.readlink(f"/proc/self/fd/{f}"))), fsync(f))
    )
    for name, method in (("replace", replace), ("rename", rename)):
        monkeypatch.setattr(
            Path,
            name,
            lambda path, to, method=method: (calls.append(("put", str(to))), method(path, to))[1],
        )
    return calls


def test_a_file_is_on_the_disk_before_it_takes_its_name_and_the_name_after(tmp_path, synced):
    write_text(tmp_path / "deep" / "a.txt", "new")
    put = synced.index(("put", str(tmp_path / "deep" / "a.txt")))
    before = [path for what, path in synced[:put] if what == "sync"]
    assert str(tmp_path) in before  # which has the new folder's name
    assert any(Path(path).name == "a.txt" for path in before)
    assert synced[put + 1 :] == [("sync", str(tmp_path / "deep"))]


def test_a_folder_is_on_the_disk_with_all_in_it_before_it_takes_its_name(tmp_path, synced):
    with replacing_folder(tmp_path / "saved", PARTS) as beside:
        (beside / "model.json").write_text("new")
        (beside / "weights").write_text("1")
    put = synced.index(("put", str(tmp_path / "saved")))
    before = {Path(path).name for what, path in synced[:put] if what == "sync"}
    assert before >= {"model.json", "weights", "saved"}
    assert synced[put + 1 :] == [("sync", str(tmp_path))]


def test_made_folders_survive_too(tmp_path, synced):
    make_folder(tmp_path / "a" / "b")
    assert {path for _, path in synced} == {str(tmp_path), str(tmp_path / "a")}


@pytest.mark.parametrize("name", ["crime", "a.b_c-1", "ünï", "x" * 100])
def test_names_of_one_path_component_are_taken(name):
    assert check_name(name, "NAME") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../results", "a/b", "a\\b", "a b", "a\n", "a\0", "~", "x" * 101, "a:b"]
)
def test_other_names_are_refused_with_what_is_allowed(name):
    with pytest.raises(OutputError, match=r"NAME .*letters, digits") as caught:
        check_name(name, "NAME")
    assert "\n" not in str(caught.value)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A folder with an input, links to it, a folder of inputs, and things in the way."""
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("in")
    Path("soft.csv").symlink_to("in.csv")
    os.link("in.csv", "hard.csv")
    Path("model").mkdir()
    Path("model/weights").write_text("1")
    Path("there").symlink_to("model")
    Path("loop").symlink_to("loop")
    return tmp_path


REFUSED = {
    "a folder": ("model", "is a folder"),
    "a folder, linked": ("there", "is a folder"),
    "a device": ("/dev/null", "device"),
    "the input": ("in.csv", "read as well"),
    "the input by another way": ("model/../in.csv", "read as well"),
    "a link to it": ("soft.csv", "read as well"),
    "a hard link to it": ("hard.csv", "read as well"),
    "a part of an input": ("model/weights", "read as well"),
    "a part of an input to be": ("there/new", "read as well"),
    "below a file": ("in.csv/x", "is a file"),
    "below what is below a file": ("in.csv/x/y", "is a file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_outputs_that_would_destroy_are_refused(desk, case):
    path, message = REFUSED[case]
    before = contents(desk)
    with pytest.raises(OutputError, match=message) as caught:
        check_files({"--out": Path(path), "--plot": None}, [Path("in.csv"), Path("model")])
    assert str(caught.value).startswith(f"--out {path}: ")
    assert contents(desk) == before


def test_two_outputs_in_one_file_are_refused(desk):
    for one, other in (("new", "new"), ("new", "model/../new"), ("soft.csv", "hard.csv")):
        with pytest.raises(OutputError, match=r"--plot .*is --out's file too"):
            check_files({"--out": Path(one), "--plot": Path(other)})
    check_files({"--out": Path("a"), "--plot": Path("b"), "--geojson": Path("deep/er/c")})
    assert not Path("deep").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_where_nobody_may_write_is_said_before_the_work(desk):
    Path("in.csv").chmod(0o444)
    Path("model").chmod(0o555)
    for path in ("in.csv", "model/new", "model/deep/new"):
        with pytest.raises(OutputError, match="may not be written to"):
            check_files({"--out": Path(path)})


def test_a_folder_to_write_to_may_be_there_or_not_but_is_no_file(desk):
    check_folder("--out", Path("model"))
    check_folder("--out", Path("new/deep"))
    for path in ("in.csv", "in.csv/new"):
        with pytest.raises(OutputError, match=f"--out {path}.*is a file"):
            check_folder("--out", Path(path))
