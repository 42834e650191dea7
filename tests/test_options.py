"""YAML to option dataclasses and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthnet.config import AugmentConfig, BenchmarkConfig, EvaluateConfig, ExportConfig, PredictConfig, TrainConfig
from depthnet.errors import ConfigError
from depthnet.options import config_to_yaml, from_plain, read_config


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_left_out_keep_their_defaults_also_in_nested_blocks(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "epochs: 3\noptim:\n  lr: 0.5\n"), TrainConfig)
    assert (config.epochs, config.optim.lr) == (3, 0.5)
    assert config.optim.name == TrainConfig().optim.name
    assert config.batch_size == TrainConfig().batch_size


def test_plain_mappings_are_replaced_as_a_whole(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "loss: {terms: {l1: 2, gradient: 0.5}}"), TrainConfig)
    assert config.loss.terms == {"l1": 2.0, "gradient": 0.5}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("1.0e-3", 1e-3), ("2", 2.0), ("'0.5'", 0.5)],
)
def test_numbers_in_every_notation(tmp_path: Path, text: str, value: float) -> None:
    # YAML 1.1, which PyYAML reads, takes 1e-3 for a text
    assert read_config(write(tmp_path, f"optim: {{lr: {text}}}"), TrainConfig).optim.lr == value


def test_lists_become_the_annotated_tuples(tmp_path: Path) -> None:
    text = (
        "size: [224, 320]\nsize_schedule: [[0, 112, 160], [0.5, 224, 320]]\nprecision: 16\nnetwork_options: {width: 1}"
    )
    config = read_config(write(tmp_path, text), TrainConfig)
    assert config.size == (224, 320)
    assert config.size_schedule == [(0.0, 112, 160), (0.5, 224, 320)]
    assert config.precision == "16"
    assert config.network_options == {"width": 1}


@pytest.mark.parametrize("text", ["save: [npy, png]", "save: 'npy, png'", "save: npy,png"])
def test_names_as_a_list_or_with_commas(tmp_path: Path, text: str) -> None:
    assert read_config(write(tmp_path, text), PredictConfig).save == ("npy", "png")


@pytest.mark.parametrize("text", ["threads: null", "threads: none", "threads:"])
def test_none_empties_an_optional_field(tmp_path: Path, text: str) -> None:
    assert read_config(write(tmp_path, text), TrainConfig).threads is None


def test_none_is_a_value_where_it_is_a_choice(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "augment: {recipe: none}"), TrainConfig).augment.recipe == "none"
    assert read_config(write(tmp_path, "align: none"), EvaluateConfig).align == "none"


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_an_empty_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    assert read_config(write(tmp_path, text), TrainConfig) == TrainConfig()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("epoch: 3", ["'epoch'", "did you mean 'epochs'"]),
        ("lr: 1e-3", ["'lr'", "did you mean 'optim.lr'"]),
        ("optim: {learning_rat: 1}", ["'optim.learning_rat'", "known: ", "lr"]),
        ("batch-size: 3", ["'batch-size'", "did you mean 'batch_size'"]),
        ("7: 3", ["'7'"]),
        ("epochs: fast", ["epochs is 'fast'", "a whole number"]),
        ("epochs: 1.5", ["epochs is 1.5", "a whole number"]),
        ("epochs: true", ["epochs is True", "a whole number"]),
        ("optim: {lr: true}", ["optim.lr is True", "a number"]),
        ("cache: 1", ["cache is 1", "true or false"]),
        ("optim: 3", ["optim is 3", "key: value"]),
        ("optim: {name: lion}", ["optim.name is 'lion'", "one of: adamw, adam, sgd"]),
        ("size: [1, 2, 3]", ["size is [1, 2, 3]", "2 values"]),
        ("size_schedule: [[0.5, 10]]", ["size_schedule is [0.5, 10]", "3 values"]),
        ("loss: {terms: {l1: a}}", ["loss.terms.l1 is 'a'", "a number"]),
        ("loss: {terms: [l1]}", ["loss.terms is ['l1']", "a mapping"]),
        ("network: 3", ["network is 3", "a text"]),
        ("- a\n- b", ["list", "key: value"]),
        ("a: [1", ["line"]),
        ("epochs: 1\nepochs: 2", ["line 2", "'epochs' stands twice"]),
        ("? [epochs, data]\n: 2", ["line 1", "a key is no name"]),
    ],
)
def test_errors_name_the_file_the_key_and_the_rule_in_one_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_config(path, TrainConfig)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_missing_file_a_folder_and_a_binary_file(tmp_path: Path) -> None:
    binary = tmp_path / "photo.jpg"
    binary.write_bytes(b"\xff\xd8\xff\xe0" * 10)
    for path in (tmp_path / "none.yaml", tmp_path, binary):
        with pytest.raises(ConfigError, match=str(path)):
            read_config(path, TrainConfig)


@pytest.mark.parametrize("cls", [TrainConfig, PredictConfig, EvaluateConfig, ExportConfig, BenchmarkConfig])
def test_defaults_survive_yaml(tmp_path: Path, cls: type) -> None:
    assert read_config(write(tmp_path, config_to_yaml(cls())), cls) == cls()


@given(
    scale=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)),
    flip=st.floats(0, 1),
    recipe=st.sampled_from(["none", "eigen", "modern"]),
)
def test_any_values_survive_yaml(scale: tuple[float, float], flip: float, recipe: str) -> None:
    import yaml

    config = AugmentConfig(recipe=recipe, scale=scale, flip=flip)  # type: ignore[arg-type]
    assert from_plain(AugmentConfig, yaml.safe_load(config_to_yaml(config)), "test") == config


def test_every_field_is_documented() -> None:
    """The string under a field is its help on the command line."""
    import ast

    import depthnet.config

    tree = ast.parse(Path(depthnet.config.__file__).read_text(encoding="utf-8"))
    for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node, after in zip(cls.body, [*cls.body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert documented, f"{cls.name}.{node.target.id} has no string under it"
                assert node.target.id not in ("on", "off", "yes", "no"), "YAML reads these names as booleans"
