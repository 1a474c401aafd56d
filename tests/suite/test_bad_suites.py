"""Bad input of a suite ends in one message that names the file and the place."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from semcl_mm.suite.cells import Cell
from semcl_mm.suite.command_line import main, suite_parser
from semcl_mm.suite.facts import read_facts
from semcl_mm.suite.reading import read_suite
from semcl_mm.suite.starts import check_starts
from semcl_mm.suite.state import require_same, write_note

SEGMENT = 'configs/segmentation/upernet_r18_toy.py'
TASK = f'downstream: [{SEGMENT}]\n'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (TASK + 'checkpoints: [random]', r"checkpoints: must be a mapping .*\['random'\]"),
        (TASK + 'options: [x]', r"downstream\[0\]\.options: must be a mapping .*\['x'\]"),
        (f'downstream: [{{config: {SEGMENT}, options: 3}}]', r'\.options: must be a mapping .* 3'),
        (TASK + 'checkpoints: {a: {config: configs/semcl/toy.py, options: [x]}}', r'a\.options'),
        (TASK + 'pretraining_options: x\ncheckpoints: {a: configs/semcl/toy.py}', r'a\.options'),
        (TASK + 'checkpoints: {a: {config: configs/semcl/toy.py, seed: x}}', r"a\.seed: .*'x'"),
        (TASK + 'checkpoints: {a: {file: 3}}', r'checkpoints\.a: no checkpoint 3'),
        (TASK + 'checkpoints: {a: [random]}', r'checkpoints\.a: must be a mapping'),
        ('paper: SemCL\ntable: 2\nstarts: [x]', r'starts: must be a mapping'),
        ('paper: SemCL\ntable: 2\nbaselines: x', r'baselines: must be a mapping'),
        (TASK + 'prepare: [3]', r'prepare\[0\]: must be a command'),
        (TASK + 'data: [data/coco]', r'data: must be a mapping'),
        (f'downstream: [{{config: {SEGMENT}, name: ../x}}]', r"\.name: '\.\./x' cannot be part"),
        (TASK + 'checkpoints: {a/b: random}', r"checkpoints: 'a/b' cannot be part"),
        (TASK + 'seeds: [-1]', r'seeds must not be negative'),
        ('[downstream]', r'must be a mapping'),
        ('a: [', r'no YAML'),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_place(tmp_path, text, message, repository):
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'(?s)mine\.yaml.*{message}'):
        read_suite(path)


@pytest.mark.parametrize('line', ['int("x")', 'open("nowhere")', '{}["x"]', '1 / 0', 'exit(3)'])
def test_a_python_suite_that_fails_is_named(tmp_path, line):
    path = tmp_path / 'mine.py'
    path.write_text(f'{line}\n')
    with pytest.raises(ValueError, match=r'mine\.py: cannot be read: \w+: '):
        read_suite(path)


def test_a_suite_that_is_not_there_is_likely_the_nearest_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'did you mean suites/toy\.py'):
        read_suite(tmp_path / 'toy')


@pytest.mark.parametrize(
    'config',
    ['configs/detection/mask-rcnn_r18_toy.py', 'configs/depth/upernet-depth_r18-narrow_toy.py'],
)
def test_a_share_of_the_labels_of_another_task_than_segmentation_is_named(config, repository):
    cell = Cell('d_seed0', 'downstream', config, 0, labels=0.1, where='mine: downstream[0]')
    with pytest.raises(ValueError, match=r'mine: downstream\[0\]\.labels: .* is no segmentation'):
        read_facts([cell])


def test_initial_weights_of_another_config_are_not_taken_again(tmp_path, repository):
    cell = Cell('initial_r_seed0', 'initial', SEGMENT, 0, where='mine: checkpoints.r')
    facts = read_facts([cell])[cell.name]
    require_same(cell, facts, tmp_path)
    write_note(cell, tmp_path, config_hash=facts.config_hash)
    require_same(cell, facts, tmp_path)
    write_note(cell, tmp_path, config_hash='another')
    with pytest.raises(ValueError, match=r'initial_r_seed0\.pth was made for another config'):
        require_same(cell, facts, tmp_path)


def weights(config, path):
    state = MODELS.build(Config.fromfile(config).model.backbone).state_dict()
    torch.save({'state_dict': {f'backbone.{key}': value for key, value in state.items()}}, path)


def test_a_checkpoint_for_another_backbone_stops_the_dry_run(tmp_path, repository, capsys):
    good, other = tmp_path / 'good.pth', tmp_path / 'other.pth'
    weights(SEGMENT, good)
    weights('configs/segmentation/frozen_vit-narrow_toy.py', other)
    suite = tmp_path / 'mine.yaml'
    words = [str(suite), '--dry-run', '--work-dir', str(tmp_path / 'work')]
    suite.write_text(TASK + f'checkpoints: {{good: {good}}}')
    assert main(suite_parser().parse_args(words)) == 0
    suite.write_text(TASK + f'checkpoints: {{good: {good}, mine: {other}}}')
    with pytest.raises(ValueError, match=r'mine\.yaml: downstream\[0\] from .*other\.pth'):
        main(suite_parser().parse_args(words))


def test_a_full_checkpoint_of_another_backbone_is_found_too(tmp_path, repository):
    other = tmp_path / 'other.pth'
    weights('configs/segmentation/frozen_vit-narrow_toy.py', other)
    cell = Cell('p', 'pretraining', 'configs/semcl/toy.py', 0, where='mine.yaml')
    check_starts([cell], read_facts([cell]))
    cell = Cell('p', 'pretraining', cell.config, 0, options={'load_from': str(other)}, where='m')
    with pytest.raises(ValueError, match=r'm from .*other\.pth'):
        check_starts([cell], read_facts([cell]))


def test_a_pretraining_of_another_backbone_than_its_downstream_task_is_found_too(
    tmp_path, repository
):
    """Before the pretraining runs, and also behind one that starts from another one."""
    suite = tmp_path / 'mine.yaml'
    words = [str(suite), '--dry-run', '--work-dir', str(tmp_path / 'work')]
    start = 'checkpoints: {r: random, p: {config: configs/semcl/toy.py, start: r}'
    suite.write_text(f'{TASK}{start}}}')
    assert main(suite_parser().parse_args(words)) == 0
    suite.write_text(f'{TASK}{start}, v: configs/local_global/vit-narrow_toy.py}}')
    with pytest.raises(
        ValueError,
        match=r'downstream\[0\] from pretrain_v_seed0: .*upernet_r18_toy',
    ):
        main(suite_parser().parse_args(words))
    suite.write_text(
        f'{TASK}{start}, v: {{config: configs/local_global/vit-narrow_toy.py, start: p}}}}'
    )
    with pytest.raises(ValueError, match=r'checkpoints\.v from pretrain_p_seed0: .*vit'):
        main(suite_parser().parse_args(words))


def test_missing_data_is_named_all_at_once_before_anything_ran(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'here').mkdir()
    suite = tmp_path / 'mine.yaml'
    data = 'data: {here: it is, data/a: a list, data/b: pictures}\nprepare: [make.py]\n'
    suite.write_text(TASK + data)
    words = [str(suite), '--work-dir', 'work']
    assert main(suite_parser().parse_args([*words, '--dry-run'])) == 0
    for more in ([], ['--slurm', 'gpu']):
        with pytest.raises(FileNotFoundError) as error:
            main(suite_parser().parse_args([*words, *more]))
        assert str(error.value) == f'{suite}: missing data: data/a (a list), data/b (pictures)'
    assert not (tmp_path / 'work').exists()
