"""What only a GPU can show of a run: NCCL, synchronised norms, float16, steps that never wait."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.registry import MODELS
from test_exact_resume import assert_equal
from tiny_run import TinyBackbone, final_state, tiny_model
from torch import distributed, nn

from semcl_mm.engine import AmpOptimWrapper, OptimWrapper

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).resolve().parents[2]


def views(count=3, batch=4):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, 2, 3, 8, 8, generator=generator).cuda() for _ in range(count)]


@pytest.mark.parametrize('fused', [False, True])
@pytest.mark.parametrize('wrapper', [OptimWrapper, AmpOptimWrapper])
def test_a_training_step_never_waits_for_the_device(wrapper, fused):
    model = MODELS.build(tiny_model(backbone=dict(type=TinyBackbone))).cuda().train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, fused=fused)
    optim_wrapper = wrapper(optimizer=optimizer, clip_grad=dict(max_norm=1.0))
    data = {'inputs': views()}
    model.train_step(data, optim_wrapper)  # the first step may allocate
    torch.cuda.set_sync_debug_mode('error')
    try:
        model.train_step(data, optim_wrapper)
        model.update_target(0.99)
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_a_step_in_float16_is_close_to_one_in_float32():
    found = {}
    for name, wrapper in (
        ('float32', OptimWrapper),
        ('float16', lambda **kwargs: AmpOptimWrapper('float16', 2.0**10, **kwargs)),
    ):
        torch.manual_seed(0)
        model = MODELS.build(tiny_model(backbone=dict(type=TinyBackbone, dropout=0.0)))
        model = model.cuda().train()
        before = model.backbone.conv1.weight.detach().clone()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optim_wrapper = wrapper(optimizer=torch.optim.SGD(trained, lr=0.1))
        losses = model.train_step({'inputs': views()}, optim_wrapper)
        found[name] = losses['loss'], model.backbone.conv1.weight - before
    torch.testing.assert_close(found['float16'][0], found['float32'][0], rtol=0.02, atol=0.02)
    step, exact = found['float16'][1], found['float32'][1]
    assert exact.abs().max() > 1e-4
    assert (step - exact).norm() < 0.05 * exact.norm()


def test_a_run_trains_on_the_gpu_and_resumes_exactly(tmp_path, train):
    options = dict(randomness=dict(seed=0, deterministic=True))
    runner = train(tmp_path / 'unbroken', **options)
    assert next(runner.model.parameters()).is_cuda
    train(tmp_path / 'broken', kill_at=5, **options)
    train(tmp_path / 'broken', resume=True, **options)
    one, two = (final_state(tmp_path / name, 'iter_8.pth') for name in ('unbroken', 'broken'))
    assert_equal(one, two)


def _synchronised(rank: int, folder: str) -> None:
    """One of two processes that share the GPU: its half of the batch through synchronised norms."""
    torch.cuda.set_device(0)
    distributed.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    torch.manual_seed(0)
    model = MODELS.build(tiny_model(backbone=dict(type=TinyBackbone, dropout=0.0)))
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model).cuda().train()
    half = [view[2 * rank : 2 * rank + 2] for view in views()]
    features = model.encode_groups(model.backbone, [view[:, 0] for view in half])
    result = [model.projector(feature).detach().cpu() for feature in features]
    torch.save((result, model.backbone.norm1.running_mean.cpu()), f'{folder}/{rank}.pth')
    distributed.destroy_process_group()


def test_two_processes_with_synchronised_norms_are_one_with_the_whole_batch(tmp_path):
    mp.spawn(_synchronised, (str(tmp_path),), nprocs=2)
    halves = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    torch.manual_seed(0)
    model = MODELS.build(tiny_model(backbone=dict(type=TinyBackbone, dropout=0.0))).cuda().train()
    features = model.encode_groups(model.backbone, [view[:, 0] for view in views()])
    for index, feature in enumerate(features):
        joined = torch.cat([half[0][index] for half in halves])
        torch.testing.assert_close(joined, model.projector(feature).cpu(), rtol=1e-4, atol=1e-5)
    for _, mean in halves:
        torch.testing.assert_close(mean, model.backbone.norm1.running_mean.cpu())


@pytest.mark.parametrize('amp', ['bf16', 'fp16'])
def test_a_launched_run_uses_nccl_and_synchronised_norms(toy_world, tmp_path, amp):
    index, work_dir = tmp_path / 'toy.pairs', tmp_path / 'run'
    build = [sys.executable, ROOT / 'tools/dataset_converters/build_pair_index.py', 'voc']
    subprocess.run([*build, toy_world, '--out', index, '--workers', '1'], check=True)
    done = subprocess.run(
        [
            *('bash', ROOT / 'tools/dist_train.sh', ROOT / 'configs/semcl/toy.py', '1'),
            *('--work-dir', work_dir, '--amp', amp, '--cfg-options', 'sync_bn=torch'),
            *(f'train_dataloader.dataset.data_root={toy_world}', 'train_cfg.max_iters=4'),
            *(f'train_dataloader.dataset.index={index}', 'train_dataloader.batch_size=4'),
            *('default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=4'),
        ],
        env={**os.environ, 'PYTHON': sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = work_dir.glob('*/record.json')
    record = json.loads(path.read_text())
    assert (record['status'], record['world_size']) == ('finished', 1)
