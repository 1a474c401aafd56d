"""Everything on the toy world: each pretraining, each kind of downstream task. Minutes on a CPU.

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

_linear = 'configs/segmentation/linear_r18-narrow_toy.py'
_random = dict(initial='configs/pixcon/pixcon-sim_toy.py')  # open residual branches
_semcl = dict(config='configs/semcl/toy.py', start='random')
_watched = {'custom_hooks.1.interval': 20}  # online kNN and linear probe
_few = {  # an iteration takes ten seconds
    'train_cfg.max_iters': 10,
    'train_cfg.val_interval': 10,
    'custom_hooks.0.iterations': 5,
}

blocks = [
    # Two seeds: error bars, and label fractions.
    dict(
        checkpoints={'random': _random, 'semcl': _semcl},
        downstream=[
            _linear,
            dict(config=_linear, labels=0.1),
            'configs/segmentation/upernet_r18_toy.py',
        ],
        seeds=[0, 1],
    ),
    dict(
        checkpoints={
            'random': dict(_random, only_start=True),
            'moco-v2': dict(config='configs/pixcon/moco-v2_toy.py', start='random'),
            'densecl': dict(config='configs/pixcon/densecl_toy.py', start='random'),
            'pixcon-sim': dict(config='configs/pixcon/pixcon-sim_toy.py', start='random'),
            'pixcon-coord': dict(config='configs/pixcon/pixcon-coord_toy.py', start='random'),
            'pixcon-sr': dict(
                config='configs/pixcon/toy-monitored.py', start='random', options=_watched
            ),
        },
        downstream=[_linear],
    ),
    dict(
        checkpoints={'cacl': 'configs/cacl/toy.py'},
        downstream=['configs/segmentation/linear_r18-narrow-d8_toy.py'],
    ),
    dict(
        checkpoints={'local-global': 'configs/local_global/vit-narrow_toy.py'},
        downstream=[
            'configs/segmentation/frozen_vit-narrow_toy.py',
            'configs/segmentation/linear_vit-narrow_toy.py',
            'configs/segmentation/upernet_vit-narrow_toy.py',
            'configs/depth/linear-depth_vit-narrow_toy.py',
            'configs/depth/upernet-depth_vit-narrow_toy.py',
        ],
    ),
    dict(
        checkpoints={'random': _random, 'semcl': _semcl},
        downstream=[
            'configs/depth/upernet-depth_r18-narrow_toy.py',
            'configs/detection/mask-rcnn_r18_toy.py',
        ],
    ),
    dict(
        checkpoints={'random': dict(_random, only_start=True), 'semcl': _semcl},
        downstream=[
            dict(
                config='configs/pixel_contrast/upernet_r18_toy.py',
                name='pixel-contrast_r18_toy',
                options={'model.contrast_head.warmup_iters': 10},
                tta=True,
            ),
            'configs/depth/bins-depth_r18-narrow_toy.py',
            'configs/detection/cascade-mask-rcnn_r18_toy.py',
            dict(config='configs/detection/faster-rcnn-c4_r18_toy.py', options=_few),
        ],
    ),
]  # fmt: skip
