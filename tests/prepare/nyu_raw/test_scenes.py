from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from depthnet.errors import InputError
from depthnet.prepare.nyu_raw.scenes import SceneFiles, find_scenes, match_nearest, open_scene, synchronise

DEPTH, COLOUR, ACCELEROMETER = "d-10.000000-1.pgm", "r-10.010000-2.ppm", "a-10.001000-3.dump"


def scene(folder: Path, files: tuple[str, ...] = (DEPTH, COLOUR, ACCELEROMETER)) -> Path:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(file.encode())
    return folder


def zipped(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name.rpartition("/")[2])
    return path


def test_scenes_are_found_in_folders_parts_and_zips(tmp_path: Path) -> None:
    scene(tmp_path / "kitchen_0003")
    scene(tmp_path / "bedrooms_part1" / "bedroom_0001")
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme.txt").write_text("x")
    zipped(tmp_path / "zips" / "studies.zip", f"study_0001/{DEPTH}", f"study_0001/{COLOUR}", f"x/study_0002/{DEPTH}",
           f"__MACOSX/study_0001/._{DEPTH}", "study_0001/INDEX.txt", "notes/readme.txt")  # fmt: skip
    found = find_scenes(tmp_path)
    assert list(found) == ["bedroom_0001", "kitchen_0003", "study_0001", "study_0002"]
    for location in found.values():
        with open_scene(location) as files:
            assert files.read(DEPTH) == DEPTH.encode()


def test_a_scene_folder_or_a_zip_part_can_be_given_itself(tmp_path: Path) -> None:
    assert list(find_scenes(scene(tmp_path / "cafe_0001"))) == ["cafe_0001"]
    assert list(find_scenes(zipped(tmp_path / "p.zip", f"cafe_0002/{DEPTH}"))) == ["cafe_0002"]
    assert list(find_scenes(zipped(tmp_path / "cafe_0003.zip", DEPTH, COLOUR))) == ["cafe_0003"]


def test_a_zipped_scene_is_read_without_unpacking(tmp_path: Path) -> None:
    part = zipped(tmp_path / "p.zip", f"a_0001/{DEPTH}", f"a_0001/{COLOUR}", f"a_0001b/{DEPTH}")
    with open_scene(find_scenes(part)["a_0001"]) as files:
        assert [name.file for name in (*files.depth, *files.colour)] == [DEPTH, COLOUR]
        assert files.where.endswith("p.zip/a_0001")
    assert sorted(tmp_path.iterdir()) == [part]


def test_a_scene_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    scene(tmp_path / "cafe_0001")
    zipped(tmp_path / "cafe.zip", f"cafe_0001/{DEPTH}")
    with pytest.raises(InputError, match=r"scene cafe_0001 is in .*cafe\.zip.* and in .*cafe_0001; keep one"):
        find_scenes(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "absent", "no such file or folder"),
        (lambda path: path, "no raw NYU Depth v2 scene"),
        (lambda path: zipped(path / "z.zip", "rgb/1.jpg"), "no raw NYU Depth v2 scene"),
    ],
)
def test_what_is_no_dump_is_refused(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_scenes(make(tmp_path))


def test_a_truncated_zip_part_is_named(tmp_path: Path) -> None:
    part = zipped(tmp_path / "bedrooms_part1.zip", *(f"bedroom_0001/d-{i}.5-1.pgm" for i in range(20)))
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"bedrooms_part1\.zip: not a whole zip file"):
        find_scenes(tmp_path)


def test_a_damaged_member_is_an_error_of_that_file(tmp_path: Path) -> None:
    part = zipped(tmp_path / "p.zip", f"a_0001/{DEPTH}", f"a_0001/{COLOUR}")
    content = bytearray(part.read_bytes())
    content[content.index(DEPTH.encode()) + len(DEPTH) + 4] ^= 0xFF  # inside the member's compressed bytes
    part.write_bytes(bytes(content))
    with open_scene(find_scenes(part)["a_0001"]) as files:
        assert files.read(COLOUR) == COLOUR.encode()
        with pytest.raises(InputError, match=rf"a_0001/{DEPTH}: cannot be read"):
            files.read(DEPTH)


def test_the_list_of_the_scene_tells_what_is_missing(tmp_path: Path) -> None:
    folder = scene(tmp_path / "cafe_0001")
    location = find_scenes(folder)["cafe_0001"]
    with open_scene(location) as files:
        assert files.missing_depth() == []
    (folder / "INDEX.txt").write_text(f"{DEPTH}\nd-10.500000-9.pgm\r\nr-11.000000-9.ppm\n\x00garbage\n")
    with open_scene(location) as files:
        assert [name.file for name in files.missing_depth()] == ["d-10.500000-9.pgm"]


def test_the_pointer_moves_while_the_next_is_not_farther_away() -> None:
    # 0.0: 0.0 is nearest. 1.0: 0.9 (0.1 away) before 1.2. 1.05: a tie of 0.9 and 1.2 goes to the later.
    # 5.0 and 6.0: the last one serves both.
    assert match_nearest([0.0, 1.0, 1.05, 5.0, 6.0], [0.0, 0.9, 1.2, 5.5]) == [0, 1, 2, 3, 3]
    assert match_nearest([4.0, 6.0], [3.0, 5.0, 7.0]) == [1, 2]
    assert match_nearest([1.0], []) == []


def test_the_pointer_never_goes_back_nor_jumps_a_worse_one() -> None:
    # From candidate 0 the next is farther away, so it stays, though a later one is nearer (out of order).
    assert match_nearest([1.0, 1.0], [1.5, 3.0, 1.0]) == [0, 0]
    assert match_nearest([5.0, 1.0], [1.0, 5.0]) == [1, 1]


def test_depth_is_primary_and_sharing_is_told() -> None:
    names = ["d-1.000000-1.pgm", "d-1.030000-2.pgm", "d-2.000000-3.pgm", "r-1.010000-4.ppm", "r-1.990000-5.ppm",
             "a-0.900000-6.dump", "a-1.900000-7.dump"]  # fmt: skip
    pairs = synchronise(SceneFiles("scene", names[::-1], lambda file: b""))
    assert [(pair.depth.tick, pair.colour.tick, pair.shared) for pair in pairs] == [
        (1, 4, True),
        (2, 4, True),
        (3, 5, False),
    ]
    assert [pair.accelerometer and pair.accelerometer.tick for pair in pairs] == [6, 6, 7]
    assert pairs[1].gap_s == pytest.approx(0.02)


def test_a_scene_without_accelerometer_is_fine_and_one_without_colour_is_not() -> None:
    assert synchronise(SceneFiles("scene", [DEPTH, COLOUR], lambda file: b""))[0].accelerometer is None
    with pytest.raises(InputError, match="scene: no colour frame"):
        synchronise(SceneFiles("scene", [DEPTH], lambda file: b""))
    with pytest.raises(InputError, match="scene: no depth frame"):
        synchronise(SceneFiles("scene", [COLOUR], lambda file: b""))
