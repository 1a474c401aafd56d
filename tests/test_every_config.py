"""Every leaf of the config tree builds all of its parts, makes a training step and predicts.

Models are an eighth as wide, images 64 x 64, data noise. Where several leaves have one structure
(the same classes, options and depth, whatever their sizes and numbers are), the first of them is
trained in the default run, and ``--slow`` trains the others as well.
"""

import copy
import functools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, METRICS, PARAM_SCHEDULERS
from mmseg.models import SegDataPreProcessor
from narrow_configs import CROP, build_to_watch, narrow_model, train_and_predict

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted(p for p in CONFIGS.glob('*/*.py') if p.parent.name != '_base_')
PRETRAINING = ('cacl', 'local_global', 'pixcon', 'semcl')
every_leaf = pytest.mark.parametrize(
    'path', LEAVES, ids=lambda path: f'{path.parent.name}/{path.stem}'
)


@functools.cache
def parse(path):
    return Config.fromfile(path)


def small_model(cfg):
    """The leaf's model at toy width."""
    if 'rpn_head' in cfg.model:
        from narrow_detectors import narrow

        return narrow(copy.deepcopy(cfg).model)
    timm = 'model_name' in cfg.model.backbone  # its widths go by its name
    return narrow_model(cfg, factor=1 if timm else 8)


def structure(node):
    """What a config says without its sizes: a hashable skeleton."""
    if isinstance(node, dict):
        return tuple((k, k == 'depth' and v, structure(v)) for k, v in sorted(node.items()))
    if isinstance(node, (list, tuple)):
        return tuple(map(structure, node))
    return (
        node if isinstance(node, bool) else 0 if isinstance(node, (int, float, str)) else str(node)
    )


@functools.cache
def first_of_each_structure():
    """Leaf of each structure: the first in the order of names."""
    firsts = {}
    for path in LEAVES:
        firsts.setdefault(structure(small_model(parse(path))), path)
    return firsts


def pipelines(node):
    """All pipelines in a config of data."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'pipeline':
                yield value
            yield from pipelines(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from pipelines(value)


def several(node):
    return node if isinstance(node, (list, tuple)) else [node] if node else []


@every_leaf
def test_leaf_builds_its_pipelines_metrics_hooks_and_schedule(path):
    cfg = copy.deepcopy(parse(path))
    loaders = [cfg.train_dataloader, cfg.get('val_dataloader'), cfg.get('test_dataloader')]
    for pipeline in pipelines([*loaders, dict(pipeline=cfg.get('tta_pipeline', []))]):
        Compose(pipeline)
    for metric in [*several(cfg.get('val_evaluator')), *several(cfg.get('test_evaluator'))]:
        METRICS.build(metric)
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    assert hooks
    for hook in hooks:
        HOOKS.build(hook)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    for schedule in several(cfg.get('param_scheduler')):
        if schedule.type.__name__.startswith('OneCycle'):
            schedule.setdefault('total_steps', 100)  # the runner tells it
        PARAM_SCHEDULERS.build(schedule, default_args=dict(optimizer=optimizer))


@every_leaf
def test_leaf_makes_a_training_step_with_all_of_its_parameters_and_predicts(
    path, request, monkeypatch
):
    monkeypatch.syspath_prepend(str(CONFIGS.parent / 'tools/benchmarks'))
    cfg = copy.deepcopy(parse(path))
    first = first_of_each_structure()[structure(small_model(cfg))]
    if path != first and not request.config.getoption('--slow'):
        pytest.skip(f'slow: the structure of {first.stem}; run with --slow')
    cfg.optim_wrapper.pop('accumulative_counts', None)  # one step is an update
    if path.parent.name in PRETRAINING:
        losses, without = pretrain(cfg)
    elif cfg.model.data_preprocessor.type is SegDataPreProcessor:
        model, losses, predictions, without = train_and_predict(cfg, steps=1)
        for found in predictions:
            if 'max_depth' in cfg:
                depth = found.pred_depth_map.data
                assert depth.shape == (1, CROP, CROP)
                assert 0 < depth.min() < depth.max() < cfg.max_depth
            else:
                labels = found.pred_sem_seg.data
                assert labels.shape == (1, CROP, CROP)
                assert 0 <= labels.min() <= labels.max() < model.num_classes
    else:
        losses, without = detect(cfg)
    assert losses
    assert all(torch.as_tensor(value).isfinite().all() for value in losses.values()), losses
    assert not without, 'no gradient reaches these: a distributed run would stop'


def pretrain(cfg):
    """A step on four photos with the config's own views; features of one photo."""
    from synthetic_batches import make_batches

    cfg.train_dataloader.batch_size = 4
    cfg.train_dataloader.dataset.size = CROP
    model, without = build_to_watch(small_model(cfg))
    (data,) = make_batches(cfg, 1, pinned=False)
    with torch.no_grad():  # before the step, which has the full learning rate and no warm-up
        outputs = model.backbone(torch.randn(2, 3, CROP, CROP))
    assert all(torch.isfinite(output).all() for output in outputs)
    return model.train_step(data, build_optim_wrapper(model, cfg.optim_wrapper)), without


def detect(cfg):
    """A step on two images with two objects each; boxes, and masks where there is a head."""
    from narrow_detectors import batch

    model, without = build_to_watch(small_model(cfg))
    losses = model.train_step(batch(model), build_optim_wrapper(model, cfg.optim_wrapper))
    model.eval()
    with torch.no_grad():
        results = model.test_step(batch(model))
    for result in results:
        assert set(result.pred_instances.keys()) >= {'bboxes', 'scores', 'labels'}
        assert ('masks' in result.pred_instances) == model.roi_head.with_mask
    return losses, without


def test_every_leaf_of_the_tree_is_tried_and_every_structure_in_the_default_run():
    """``configs/*/*.py`` alone are leaves: nothing lies deeper, and no family is left out."""
    deeper = [p for p in CONFIGS.glob('[!_]*/**/*.py') if p not in LEAVES]
    assert not deeper
    for test in (
        test_leaf_builds_its_pipelines_metrics_hooks_and_schedule,
        test_leaf_makes_a_training_step_with_all_of_its_parameters_and_predicts,
    ):
        (mark,) = [mark for mark in test.pytestmark if mark.name == 'parametrize']
        assert mark.args[1] == LEAVES
    families = {path.parent for path in LEAVES}
    assert {path.parent for path in first_of_each_structure().values()} == families
