"""Detectors of the config tree: weights arrive, norms behave, ignored regions are background."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from narrow_detectors import batch, detector, narrow
from torch import nn

from semcl_mm.checkpoint import load_backbone
from semcl_mm.engine.hooks.precise_bn_hook import recompute_statistics

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LEAVES = sorted((CONFIGS / 'detection').glob('*.py'))


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_a_place_on_an_ignored_region_is_background_in_every_leaf(path):
    """Detectron2 drops crowds, and mmdet's detectors ignore no proposal for them."""
    from mmdet.registry import TASK_UTILS

    settings = Config.fromfile(path).model.train_cfg
    stages = settings.rcnn if isinstance(settings.rcnn, list) else [settings.rcnn]
    priors = InstanceData(priors=torch.tensor([[100.0, 100, 150, 150], [0, 0, 50, 50]]))
    truth = InstanceData(bboxes=torch.tensor([[0.0, 0, 50, 50]]), labels=torch.tensor([3]))
    crowd = InstanceData(bboxes=torch.tensor([[90.0, 90, 200, 200]]), labels=torch.tensor([0]))
    for stage in (settings.rpn, *stages):
        found = TASK_UTILS.build(stage.assigner).assign(priors, truth, crowd)
        assert found.gt_inds.tolist() == [0, 1]


def test_the_c4_leaf_alone_learns_difficult_objects_as_detectron2_does():
    for path in LEAVES:
        if path.stem.endswith('voc0712'):
            cfg = Config.fromfile(path)
            learned = [d.get('learn_difficult') for d in cfg.train_dataloader.dataset.datasets]
            assert learned == [True if 'c4' in path.stem else None] * 2
            assert 'learn_difficult' not in cfg.val_dataloader.dataset


@pytest.mark.parametrize('name', ['mask-rcnn_r18_toy', 'cascade-mask-rcnn_r18_toy'])
def test_a_batch_without_any_object_has_a_finite_loss_and_gradients(name):
    torch.manual_seed(0)
    model = detector(CONFIGS / f'detection/{name}.py').train()
    data = model.data_preprocessor(batch(model, objects=0), True)
    loss, logged = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(torch.as_tensor(value)) for value in logged.values())


def semcl_checkpoint(folder):
    """What a SemCL toy run writes: backbone, target encoder, projectors."""
    config = Config.fromfile(CONFIGS / 'semcl/toy.py').model
    config.backbone.update(base_channels=8, stem_channels=8)
    config.projector.in_channels = 64
    torch.manual_seed(3)
    model = MODELS.build(config)
    for parameter in model.backbone.parameters():
        nn.init.normal_(parameter, std=0.1)
    path = folder / 'iter_240.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return path, model.backbone


@pytest.mark.parametrize('name', ['mask-rcnn_r18_toy', 'faster-rcnn-c4_r18_toy'])
def test_the_backbone_of_a_semcl_run_arrives_whole_in_a_detector(name, tmp_path):
    path, source = semcl_checkpoint(tmp_path)
    model = detector(CONFIGS / f'detection/{name}.py')
    report = load_backbone(model.backbone, path)
    assert report.coverage == 1
    state = model.backbone.state_dict()
    for key, value in source.state_dict().items():
        assert torch.equal(state[key], value), key
    source.eval(), model.eval()
    with torch.no_grad():
        images = torch.randn(2, 3, 64, 64)
        found = model.backbone(images)[-1]
        if name.startswith('faster'):  # the last stage runs on regions
            found = model.backbone.last_stage(found)
        assert torch.equal(found, source(images)[-1])


def test_the_last_stage_of_c4_is_owned_once_and_follows_a_copy():
    model = detector(CONFIGS / 'detection/faster-rcnn-c4_r18_toy.py')
    assert not [key for key in model.state_dict() if key.startswith('roi_head.shared_head.layer')]
    twin = copy.deepcopy(model)
    assert twin.roi_head.shared_head._stage[0] is twin.backbone.layer4
    assert twin.backbone.layer4 is not model.backbone.layer4
    regions = torch.randn(3, 32, 14, 14)
    assert model.roi_head.shared_head(regions).shape == (3, 64, 7, 7)


def test_frozen_stages_and_norms_keep_what_was_loaded_through_a_training_step(tmp_path):
    """The trap: a frozen stage whose batch norms still average over the detection images."""
    path, _ = semcl_checkpoint(tmp_path)
    config = narrow(Config.fromfile(CONFIGS / 'detection/mask-rcnn_r18_toy.py').model)
    config.backbone.update(frozen_stages=1, norm_eval=True)
    model = MODELS.build(config)
    load_backbone(model.backbone, path)
    before = copy.deepcopy(model.backbone.state_dict())
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss, _ = model.parse_losses(model(**model.data_preprocessor(batch(model), True), mode='loss'))
    loss.backward()
    optimizer.step()
    for key, value in model.backbone.state_dict().items():
        fixed = key.startswith(('conv1', 'bn1', 'layer1')) or 'running_' in key
        assert torch.equal(value, before[key]) or not fixed, key
    assert not torch.equal(model.backbone.layer4[0].conv1.weight, before['layer4.0.conv1.weight'])


class Normed(nn.Module):
    """A model of MMEngine's interface with a norm, a frozen norm and one that is not reached."""

    def __init__(self):
        super().__init__()
        self.norm, self.frozen, self.idle = (nn.BatchNorm1d(3) for _ in range(3))

    def data_preprocessor(self, data, training):
        return data

    def forward(self, inputs, mode):
        self.norm(inputs), self.frozen(inputs)


def test_recomputed_statistics_are_the_mean_over_batches_and_nothing_else_changes():
    model = Normed().train()
    model.frozen.eval()
    batches = [torch.randn(8, 3) * 3 + 1 for _ in range(5)]
    recompute_statistics(model, iter([dict(inputs=x) for x in batches]), 5)
    mean = torch.stack([x.mean(dim=0) for x in batches]).mean(dim=0)
    variance = torch.stack([x.var(dim=0) for x in batches]).mean(dim=0)
    torch.testing.assert_close(model.norm.running_mean, mean)
    torch.testing.assert_close(model.norm.running_var, variance)
    assert model.norm.momentum == 0.1
    assert model.norm.num_batches_tracked == 0
    for untouched in (model.frozen, model.idle):
        assert torch.equal(untouched.running_mean, torch.zeros(3))
        assert torch.equal(untouched.running_var, torch.ones(3))


def test_segmentation_does_not_import_the_detectors():
    """They need the compiled ops of mmcv, which a machine for segmentation may not have."""
    code = (
        "import sys, semcl_mm.downstream; assert 'semcl_mm.downstream.detection' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=120)
