"""PixCon's leaves follow its recipe, and the step table changes one thing at a time."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from semcl_mm.models import DenseCL, PixCon

PIXCON = Path(__file__).resolve().parents[1] / 'configs' / 'pixcon'
PUBLISHED = sorted(path.stem for path in PIXCON.glob('*_r50_*.py'))
STEPS = [
    'densecl_r50_coco',
    'densecl-syncbn_r50_coco',
    'densecl-asym_r50_coco',
    'densecl-ascending_r50_coco',
    'densecl-symmetric_r50_coco',
    'pixcon-sim_r50_coco',
    'pixcon-sim-one-way_r50_coco',
]
IMAGES = {'coco': 118287, 'coco-plus': 241690, 'imagenet': 1281167}


def config(stem):
    return Config.fromfile(PIXCON / f'{stem}.py')


@pytest.mark.parametrize('stem', PUBLISHED)
def test_the_warm_up_lasts_four_epochs_of_the_data_set(stem):
    cfg = config(stem)
    batch = 4 * cfg.train_dataloader.batch_size
    assert batch == cfg.auto_scale_lr.base_batch_size == 512
    assert cfg.optim_wrapper.optimizer.lr == 0.4
    updates = IMAGES[stem.split('_')[-1]] // batch
    assert cfg.param_scheduler[0].end == 4 * updates + 1
    assert cfg.train_cfg.max_epochs == (200 if stem.endswith('imagenet') else 800)


def test_the_learning_rate_is_the_authors_at_every_update():
    """mmcv's cosine by epoch, times its linear warm-up by iteration, in closed form."""
    cfg = config('pixcon-sr_r50_coco')
    epochs, updates = 8, 5
    options = [dict(s) for s in cfg.param_scheduler]
    options[0].update(end=4 * updates + 1)
    options[1].update(end=epochs)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    warm_up, cosine = (s.pop('type')(optimizer, **s) for s in options)
    for epoch in range(epochs):
        regular = 0.2 * (1 + torch.tensor(torch.pi * epoch / epochs).cos().item())
        for update in range(updates):
            done = min((epoch * updates + update) / (4 * updates), 1)
            expected = regular * (1 - (1 - done) * (1 - 1e-4))
            assert optimizer.param_groups[0]['lr'] == pytest.approx(expected)
            optimizer.step()
            warm_up.step()
        cosine.step()


def switches(cfg):
    """What the step table speaks of."""
    views = [dict(view) for view in cfg.train_dataloader.dataset['views']]
    return dict(
        sync_bn=cfg.sync_bn == 'torch' and not cfg.model.get('shuffle_bn', False),
        predictors='predictor' in cfg.model and 'dense_predictor' in cfg.model,
        ascending=cfg.custom_hooks[0].momentum == 0.99
        and cfg.custom_hooks[0].get('schedule') != 'constant',
        symmetric=cfg.model.get('symmetric', False),
        byol_views=any(view.get('solarize') for view in views),
        overlap=cfg.train_dataloader.dataset.min_overlap,
    )


def test_each_row_of_the_step_table_switches_one_thing():
    """Views are one thing: PixCon's are BYOL's colours on crops that overlap, DenseCL's neither."""
    rows = [switches(config(stem)) for stem in STEPS]
    assert not any(rows[0].values())
    byol = ['byol_views', 'overlap']
    order = [['sync_bn'], ['predictors'], ['ascending'], ['symmetric'], byol, ['symmetric']]
    for before, after, changed in zip(rows[:-1], rows[1:], order, strict=True):
        assert [key for key in after if after[key] != before[key]] == changed
    assert rows[6]['byol_views']
    assert rows[6]['overlap'] == 0.01
    assert not rows[6]['symmetric']


@pytest.mark.parametrize('stem', STEPS)
def test_the_heads_have_norms_exactly_where_statistics_are_shared(stem):
    cfg = config(stem)
    synchronised = switches(cfg)['sync_bn']
    assert cfg.model.projector.get('hidden_norm', True) == synchronised
    assert bool(cfg.model.dense_projector.get('norm_cfg')) == synchronised
    assert cfg.model.type in (DenseCL, PixCon)


@pytest.mark.parametrize(
    ('stem', 'scale', 'crop', 'slides'),
    [
        ('fcn-d6_r50_voc12aug', (2049, 513), (513, 513), False),
        ('fcn-d6_r50_cityscapes', (2049, 1025), (769, 769), True),
    ],
)
def test_fcn_d6_has_the_authors_pipeline_and_head(stem, scale, crop, slides, repository):
    """configs/benchmarks/mmsegmentation/*/fcn_d6_r50-d16_*_moco.py of pangzss/PixCon."""
    cfg = Config.fromfile(repository / f'configs/segmentation/{stem}.py')
    assert cfg.test_dataloader == cfg.val_dataloader
    train, test = cfg.train_dataloader.dataset.pipeline, cfg.val_dataloader.dataset.pipeline
    names = ['CheckedImage', 'CheckedSegAnnotations', 'RandomResize', 'RandomCrop', 'RandomFlip']
    assert [step.type.__name__ for step in train] == [*names, 'PackSegInputs']
    assert (train[2].scale, train[2].ratio_range, train[2].keep_ratio) == (scale, (0.5, 2.0), True)
    assert (train[3].crop_size, train[3].cat_max_ratio) == (crop, 1.0)
    assert (test[1].scale, test[1].keep_ratio) == (scale, True)
    assert cfg.model.data_preprocessor['size'] == crop
    head = dict(cfg.model.decode_head)
    stated = dict(channels=256, num_convs=2, dilation=6, concat_input=False, align_corners=True)
    assert {key: head[key] for key in stated} == stated
    assert head['dropout_ratio'] == 0
    window = dict(mode='slide', crop_size=(769, 769), stride=(513, 513))
    assert dict(cfg.model.test_cfg) == (window if slides else dict(mode='whole'))


@pytest.mark.parametrize(
    ('stem', 'cells'),
    [
        ('fcn-d6_r50_voc12aug', 5 + 7 + 2),
        ('fcn-d6_r50_cityscapes', 5 + 2),
        ('fcn_r50_ade20k', 2),
    ],
)
def test_downstream_leaves_name_each_cell_of_each_pretraining_once(stem, cells, repository):
    from semcl_mm.analysis.paper_cells import paper_cells, read_paper_numbers

    numbers = read_paper_numbers(repository / 'configs/paper_numbers.csv')
    own = Config.fromfile(repository / f'configs/segmentation/{stem}.py').paper_cell.to_dict()
    found = 0
    for cell in paper_cells(own):
        keys = ('paper', 'table', 'dataset', 'backbone', 'metric', 'variant')
        for pretraining, model in cell['models'].items():
            assert (PIXCON / f'{pretraining}.py').is_file()
            wanted = {**{key: cell[key] for key in keys}, 'model': model}
            (row,) = [row for row in numbers if all(row[k] == v for k, v in wanted.items())]
            found += row['value'] > 30
    assert found == cells
