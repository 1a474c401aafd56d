"""Every leaf of the config tree keeps the rules of the tree and says what it is."""

import ast
import functools
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from semcl_mm.engine.command_line import run_name
from semcl_mm.engine.options import train_parser
from semcl_mm.engine.overrides import check_top_level

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted(p for p in CONFIGS.glob('*/*.py') if p.parent.name != '_base_')
BASES = sorted(CONFIGS.glob('_base_/**/*.py'))
DEPTH_DATA = ('nyuv2', 'kitti', 'cityscapes')
PAPERS = {
    'cacl': {
        *(f'{b}_k400{r}' for b in ('r18', 'r50') for r in ('', '_global', '_global-pixel')),
        *(f'{b}_k400_{r}' for b in ('r18', 'r50') for r in ('simple', 'hard-cycle')),
        *(f'r18_k400_{r}' for r in ('pixel', 'global-cycle', 'augmentation', 'global-pixel-s4')),
        *(f'r18_k400_{r}' for r in ('position-s2', 'position-s4', 'position-s8', 's4')),
    },
    'depth': {
        *(f'bins-depth_{b}_{d}' for b in ('r50', 'swin-t', 'swin-l') for d in DEPTH_DATA),
        *(f'{h}-depth_vit-{s}_nyuv2' for h in ('linear', 'upernet') for s in ('ti', 's', 'b')),
        *(f'upernet-depth_{b}_{d}' for b in ('r50', 'swin-t', 'vit-s') for d in DEPTH_DATA),
    },
    'pixcon': {
        *(f'pixcon-{v}_r50_{d}' for v in ('sim', 'coord', 'sr') for d in ('coco', 'coco-plus')),
        *(f'{m}_r50_coco' for m in ('byol', 'moco-v2-plus', 'densecl', 'pixcon-sim-one-way')),
        *(f'densecl-{s}_r50_coco' for s in ('syncbn', 'asym', 'ascending', 'symmetric')),
    },
    'semcl': {
        f'{b}_{d}'
        for b in ('r50', 'r101', 'swin-t', 'swin-s', 'swin-b', 'swin-l')
        for d in ('voc', 'cityscapes', 'ade20k', 'coco', 'im')
    },
    'segmentation': {
        f'upernet_{b}_{d}'
        for b in ('r50', 'r101', 'swin-t', 'swin-s', 'swin-b')
        for d in ('voc12aug', 'cityscapes', 'ade20k', 'coco-stuff164k')
    },
    'pixel_contrast': {
        f'{place}_{kind}'
        for place in (
            'deeplabv3-r101_cityscapes',
            'hrnet-w48_cityscapes',
            'hrnet-w48_cityscapes-test',
            'hrnet-w48_cityscapes-trainval',
            'hrnet-w48_pascal-context',
            'ocr-r101_cityscapes',
            'ocr-hrnet-w48_cityscapes',
            'ocr-hrnet-w48_cityscapes-trainval',
            'ocr-hrnet-w48_pascal-context',
            'ocr-hrnet-w48_coco-stuff10k',
        )
        for kind in ('baseline', 'contrast')
    }
    | {
        f'hrnet-w48_cityscapes_{kind}_40k'
        for kind in (
            *('baseline', 'contrast', 'intra-image', 'mini-batch', 'pixel-memory', 'region-memory'),
            *('random-anchors_random-keys', 'random-anchors_hardest-keys'),
            *('random-anchors_semi-hard-keys', 'hard-anchors_random-keys'),
            'hard-anchors_hardest-keys',
        )
    },
    'detection': {
        'mask-rcnn_r50_coco',
        'faster-rcnn-c4_r50_voc0712',
        *(f'cascade-rcnn_{b}_voc0712' for b in ('r50', 'swin-t')),
        *(f'cascade-mask-rcnn_{b}_{d}' for b in ('r50', 'swin-t') for d in ('coco', 'cityscapes')),
    },
}


@functools.cache
def parse(path):
    return Config.fromfile(path)


def name(path):
    return str(path.relative_to(CONFIGS))


@pytest.mark.parametrize('family', PAPERS)
def test_every_row_of_the_paper_has_a_config(family):
    assert {path.stem for path in LEAVES if path.parent.name == family} >= PAPERS[family]


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_leaf_parses_with_default_scope_none_and_survives_a_dump(path, tmp_path):
    cfg = parse(path)
    assert 'default_scope' in cfg
    assert cfg.default_scope is None
    assert cfg.pretrained is None
    dumped = tmp_path / 'dumped.py'
    cfg.dump(dumped)
    assert Config.fromfile(dumped).pretty_text == cfg.pretty_text


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_leaf_names_classes_and_leaves_nothing_open(path):
    """A bare name is resolved in some registry at run time: only norms and activations are."""
    stack = [('', parse(path).to_dict())]
    while stack:
        place, node = stack.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            here = f'{place}.{key}'
            if key == 'type' and not place.endswith('_cfg'):
                assert '.' in str(value), f'{here} is {value!r}: some registry decides'
            if place.startswith(('.model', '.tta_pipeline')):
                assert value is not None or key in ('train_cfg',), f'{here} was not filled in'
            if isinstance(value, (dict, list, tuple)):
                stack.append((here, value))


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_leaf_says_what_it_is_and_how_to_run_it(path):
    """Every path in a header that lies in the repository exists: headers do not rot."""
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text
    assert f'configs/{path.parent.name}/{path.name}' in text
    for mentioned in re.findall(r'\b(?:configs|tools)/[\w./-]+\.(?:py|sh)\b', text):
        assert (CONFIGS.parent / mentioned).is_file(), mentioned


def test_table_2_headers_start_from_the_file_that_the_pretraining_header_writes():
    """The work dir's name holds what the pretraining itself started from."""
    checked = 0
    for path in LEAVES:
        if path.parent.name != 'segmentation' or path.stem not in PAPERS['segmentation']:
            continue
        (checkpoint,) = re.findall(r'work_dirs/(\S+)', path.read_text())
        work_dir, file = checkpoint.split('/')
        config = CONFIGS / 'semcl' / f'{work_dir.split("_from_")[0]}.py'
        command = re.search(r'tools/dist_train\.sh (.*)', config.read_text())[1].split()
        command.remove('4')
        assert work_dir == run_name(train_parser().parse_args(command)), path
        assert file == f'iter_{parse(config).train_cfg.max_iters}.pth', path
        checked += 1
    assert checked == 20


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_leaf_is_a_short_diff_of_bases(path):
    tree = ast.parse(path.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert imports
    assert all(node.module.startswith('_base_.') for node in imports), 'a leaf inherits bases only'
    body = path.read_text().split('"""', 2)[2]
    assert len([line for line in body.splitlines() if line.strip()]) <= 40


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_leaf_has_no_variable_that_looks_like_a_misspelt_key(path):
    check_top_level(parse(path)._cfg_dict, str(path))


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_leaf_of_a_paper_says_how_many_samples_it_trains_on(path):
    """Without the number a run on a sample of the data could stand beside the paper's."""
    cfg = parse(path)
    pretraining = path.stem in PAPERS.get(path.parent.name, ()) and cfg.get('val_cfg') is None
    if cfg.get('paper_cell') or pretraining:
        assert cfg.expected_samples.train
        assert cfg.get('val_cfg') is None or cfg.expected_samples.val


def test_a_misspelt_key_of_the_runner_is_named():
    with pytest.raises(ValueError, match=r"leaf\.py: .*'optim_wraper'.*'optim_wrapper'"):
        check_top_level({'optim_wraper': {}, 'data_root': 'data'}, 'leaf.py')


@pytest.mark.parametrize('path', BASES, ids=name)
def test_base_imports_no_other_base(path):
    assert re.fullmatch(r'[a-z0-9_]+', path.stem)
    tree = ast.parse(path.read_text())
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]


def test_semcl_batches_and_learning_rates_follow_the_paper():
    """lr = 1.5e-4 * B / 256 with B = 4 GPUs x batch x accumulation; 30k updates (paper, §4)."""
    checked = 0
    for path in LEAVES:
        if path.parent.name != 'semcl' or path.stem == 'toy' or path.stem.startswith('r18'):
            continue
        cfg = parse(path)
        accumulation = cfg.optim_wrapper.get('accumulative_counts', 1)
        batch = 4 * cfg.train_dataloader.batch_size * accumulation
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(1.5e-4 * batch / 256), path
        assert cfg.auto_scale_lr.base_batch_size == batch, path
        updates = cfg.train_cfg.max_iters / accumulation
        ablation = re.search(r'_(\d+)k$', path.stem)
        assert updates == (int(ablation[1]) * 1000 if ablation else 30000), path
        checked += 1
    assert checked >= 40


def test_table_2_configs_name_a_cell_of_the_paper(repository):
    from semcl_mm.analysis.paper_cells import read_paper_numbers

    numbers = read_paper_numbers(repository / 'configs' / 'paper_numbers.csv')
    for path in LEAVES:
        if path.parent.name == 'segmentation' and path.stem in PAPERS['segmentation']:
            cell = parse(path).paper_cell
            keys = ('paper', 'table', 'dataset', 'backbone', 'metric')
            found = [row for row in numbers if all(row[k] == cell[k] for k in keys)]
            assert len(found) == 2, f'{path}: {cell}'
