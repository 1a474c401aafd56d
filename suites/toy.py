"""Everything on the toy world: every pretraining, every kind of downstream task. Minutes on a CPU.

It shows that all of it works; runs this short say nothing about a method. Makes data/toy first.
    OMP_NUM_THREADS=1 tools/suite.py suites/toy.py --jobs 2
"""

prepare = [
    'tools/dataset_converters/make_toy.py --out data/toy',
    'tools/dataset_converters/build_pair_index.py voc data/toy --out data/semcl/toy.pairs',
]
_short = {
    'train_cfg.max_iters': 40,
    'default_hooks.checkpoint.interval': 20,
    'default_hooks.logger.interval': 10,
}
pretraining_options = _short
options = {**_short, 'train_cfg.val_interval': 40}

blocks = [
    dict(
        checkpoints={
            'random': dict(initial='configs/segmentation/linear_r18-narrow_toy.py'),
            'semcl': dict(config='configs/semcl/toy.py', start='random'),
            'pixcon': dict(config='configs/pixcon/toy.py', start='random'),
        },
        downstream=[
            'configs/segmentation/linear_r18-narrow_toy.py',
            dict(config='configs/segmentation/linear_r18-narrow_toy.py', labels=0.1),
            'configs/segmentation/upernet_r18_toy.py',
        ],
        seeds=[0, 1],
    ),
    dict(
        checkpoints={'semcl': dict(config='configs/semcl/toy.py', start='random'), 'random': dict(
            initial='configs/segmentation/linear_r18-narrow_toy.py')},
        downstream=[
            dict(config='configs/pixel_contrast/upernet_r18_toy.py', name='pixel-contrast_r18_toy'),
            'configs/depth/upernet-depth_r18-narrow_toy.py',
            'configs/depth/bins-depth_r18-narrow_toy.py',
            'configs/detection/mask-rcnn_r18_toy.py',
        ],
    ),
    dict(
        checkpoints={'cacl': 'configs/cacl/toy.py'},
        downstream=['configs/segmentation/linear_r18-narrow-d8_toy.py'],
    ),
    dict(
        checkpoints={'local-global': 'configs/local_global/vit-narrow_toy.py'},
        downstream=[
            'configs/segmentation/frozen_vit-narrow_toy.py',
            'configs/depth/linear-depth_vit-narrow_toy.py',
        ],
    ),
]  # fmt: skip
