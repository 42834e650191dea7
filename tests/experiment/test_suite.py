"""Suites as YAML: mistakes are named, one may extend another, and the shipped ones ask what the post claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthnet.config import TrainConfig
from depthnet.errors import ConfigError
from depthnet.experiment.suite import SUITES, find_suite, merge_options, read_suite
from depthnet.networks import NETWORKS
from depthnet.options import from_plain

ROWS = "rows: [{name: a}, {name: b}]\n"
SHIPPED = sorted(SUITES.glob("*.yaml"))
ABOUT_DEPTH = [path for path in SHIPPED if not read_suite(path).pairs]
ABOUT_MOTION = [path for path in SHIPPED if path not in ABOUT_DEPTH]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROWS, "budget is 0; it must be 1 or more"),
        ("budget: 1\n", "rows and seeds must each have at least one entry"),
        ("budget: 1\nseed: [0]\n" + ROWS, "unknown key 'seed'; did you mean 'seeds'"),
        ("budget: 1\nrows: [{name: a}, {name: a}]", "row 'a' stands twice or is taken"),
        ("budget: 1\nrows: [{name: mean-depth}]", "row 'mean-depth' stands twice or is taken"),
        ("budget: 1\nrows: [{name: ../a}]", "row name '../a': it names a folder"),
        ("budget: 1\nbase: {epochs: 3}\n" + ROWS, "base: epochs follows from budget"),
        ("budget: 1\nrows: [{name: a, options: {seed: 3}}]", "row a: seed follows from"),
        ("budget: 1\nrows: [{name: a, stages: [{name: x, share: 0.4}]}]", "shares of its stages add up to 0.4"),
        ("budget: 1\nrows: [{name: a, stages: [{name: x, share: 0}]}]", "share 0 must be above 0"),
        ("budget: 1\nclaims: [{name: c}]\n" + ROWS, "claim 'c' has no tests"),
        (
            "budget: 1\nclaims: [{tests: [{row: a, than: z}]}]\n" + ROWS,
            "a claim names row 'z'; there are: mean-depth, a",
        ),
        ("budget: 1\nclaims: [{tests: [{row: a, than: b, by: delta}]}]\n" + ROWS, "better by 'delta'; choose one of"),
        ("budget: 1\nclaims: [{tests: [{row: a, than: b, kind: equivalent}]}]\n" + ROWS, "margin 0; give a positive"),
    ],
)
def test_mistakes_are_named_with_the_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_suite(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_suite_extends_another(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(
        "budget: 10\nseeds: [4, 5]\nbase: {network: unet, optim: {lr: 0.1, ema: 0.5}, loss: {terms: {l2: 1}}}\n" + ROWS
    )
    (tmp_path / "large.yaml").write_text(
        "extends: small.yaml\nseeds: [0]\nbase: {optim: {ema: 0.9}, loss: {terms: {l1: 1}}}\n"
    )
    suite = read_suite(tmp_path / "large.yaml")
    assert (suite.budget, suite.seeds, [row.name for row in suite.rows]) == (10, [0], ["a", "b"])
    assert suite.base == {"network": "unet", "optim": {"lr": 0.1, "ema": 0.9}, "loss": {"terms": {"l1": 1}}}
    (tmp_path / "small.yaml").write_text("extends: large.yaml\n")
    with pytest.raises(ConfigError, match="one of them must stand alone"):
        read_suite(tmp_path / "large.yaml")


def test_options_of_a_block_are_merged_and_mappings_replaced() -> None:
    merged = merge_options({"loss": {"terms": {"eigen": 1}, "eigen_lambda": 0.1}}, {"loss": {"terms": {"l2": 1}}})
    assert merged == {"loss": {"terms": {"l2": 1}, "eigen_lambda": 0.1}}
    merged = merge_options({"network_options": {"a": 1}}, {"network_options": {"b": 2}})
    assert merged == {"network_options": {"b": 2}}


def test_an_unknown_suite_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: no such suite; .*nyu-cpu, nyu-gpu, pose-cpu, pose-gpu"):
        find_suite("nothing.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_suites_say_what_they_are_for(path: Path) -> None:
    suite = read_suite(find_suite(path.stem))
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert suite.decides
    assert suite.leaves_open
    assert all(source.credit for source in suite.pictures)
    assert all(pairs.data for pairs in suite.pairs)


@pytest.mark.parametrize("path", ABOUT_MOTION, ids=lambda path: path.stem)
def test_the_shipped_suites_about_motion_hold_every_row_of_the_question(path: Path) -> None:
    suite = read_suite(path)
    configs = {
        row.name: from_plain(TrainConfig, merge_options(suite.base, row.options), row.name) for row in suite.rows
    }
    kinds = {
        name: (config.task, config.network, config.network_options.get("shape", "light"),
               config.network_options.get("frozen", True), config.pose.features, "photometric" in config.pose.terms,
               config.pose.depth)
        for name, config in configs.items()
    }  # fmt: skip
    assert kinds == {
        "early": ("pose", "pose-early", "light", True, None, False, "sensor"),
        "late": ("pose", "pose-late", "light", True, None, False, "sensor"),
        "early-alexnet": ("pose", "pose-early", "alexnet", True, None, False, "sensor"),
        "late-alexnet": ("pose", "pose-late", "alexnet", True, None, False, "sensor"),
        "features": ("pose", "pose-features", "light", True, "mobile", False, "sensor"),
        "features-random": ("pose", "pose-features", "light", True, None, False, "sensor"),
        "features-trained": ("pose", "pose-features", "light", False, "mobile", False, "sensor"),
        "features-random-trained": ("pose", "pose-features", "light", False, None, False, "sensor"),
        "unsupervised": ("pose", "pose-early", "light", True, None, True, "sensor"),
        "unsupervised-predicted": ("pose", "pose-early", "light", True, None, True, "mobile"),
        "features-unsupervised": ("pose", "pose-features", "light", True, "mobile", True, "sensor"),
        "video": ("video", "mobile", "light", True, None, True, "sensor"),
    }
    assert {config.pose.gap for config in configs.values() if config.task == "pose"} == {suite.pairs[0].gap}
    assert [pairs.name for pairs in suite.pairs] == ["rooms", "tum", "scenes"]
    asked = {claim.name for claim in suite.claims}
    assert asked >= {"learns", "early", "features-early", "features-depth", "unsupervised", "direct", "transfer"}


@pytest.mark.parametrize("path", ABOUT_DEPTH, ids=lambda path: path.stem)
def test_the_shipped_suites_about_depth_hold_every_row_of_the_question(path: Path) -> None:
    suite = read_suite(path)
    configs = [from_plain(TrainConfig, merge_options(suite.base, row.options), row.name) for row in suite.rows]
    losses = [(config.loss.terms, config.loss.eigen_lambda) for config in configs if config.network == "unet"]
    for terms, eigen_lambda in (
        ({"eigen": 1.0}, 0.0), ({"eigen": 1.0}, 0.5), ({"eigen": 1.0}, 1.0), ({"eigen": 1.0, "gradient": 1.0}, 0.5),
        ({"l2": 1.0}, 0.5), ({"l2_smooth": 1.0}, 0.5), ({"l1": 1.0}, 0.5), ({"berhu": 1.0}, 0.5),
    ):  # fmt: skip
        assert (terms, eigen_lambda) in losses
    networks = {config.network for config in configs}
    assert networks == {"unet", "eigen2014", "garg2016", "mobile"}
    assert networks <= NETWORKS.keys()
    assert {claim.name for claim in suite.claims} >= {"garg", "simpler", "loss-l2", "loss-smooth"}


@pytest.mark.parametrize(("name", "sizes"), [("nyu", ([112, 160], [224, 320])), ("pose", ([48, 64], [96, 128]))])
def test_the_shipped_suites_ask_for_what_they_promise(name: str, sizes: tuple[list[int], list[int]]) -> None:
    small, large = read_suite(SUITES / f"{name}-cpu.yaml"), read_suite(SUITES / f"{name}-gpu.yaml")
    assert (small.base["size"], large.base["size"]) == sizes
    assert (len(small.seeds), len(large.seeds)) == (1, 3)
    assert large.rows == small.rows
    assert large.claims == small.claims
