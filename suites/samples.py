"""Small real samples to the end: CamVid, RGB-D scenes, a few COCO images.

From random weights, and from SemCL on CamVid. It shows that real files go through; runs this short
say little about a method. A quarter of an hour on two CPU cores.
    OMP_NUM_THREADS=1 tools/suite.py suites/samples.py --jobs 2
"""

data = {
    'data/camvid': 'CamVid, 11 classes: train trainannot val valannot',
    'data/depth': 'RGB-D scenes: splits/within_train.txt and within_val.txt, docs/depth.md',
    'data/coco_sample': 'about a hundred COCO images: train2017 val2017 annotations',
}
prepare = [
    'tools/dataset_converters/build_pair_index.py folder data/camvid --images train'
    ' --labels trainannot --ignore 11 --out data/semcl/camvid.pairs',
]


def _iterations(number):
    return {
        'train_cfg.max_iters': number,
        'default_hooks.checkpoint.interval': number // 2,
        'default_hooks.logger.interval': 10,
    }


def _task(config, number, **others):
    options = _iterations(number) | {'train_cfg.val_interval': number}
    return dict(config=f'configs/{config}.py', options=options, **others)


checkpoints = {
    'random': dict(initial='configs/segmentation/upernet_r18-narrow_camvid.py'),
    'semcl': dict(
        config='configs/semcl/r18-narrow_camvid.py', start='random', options=_iterations(120)
    ),
}
downstream = [
    _task('segmentation/linear_r18-narrow_camvid', 100),
    _task('segmentation/upernet_r18-narrow_camvid', 100),
    _task('segmentation/upernet_r18-narrow_camvid', 100, labels=0.1),
    _task('depth/upernet-depth_r18-narrow_sample', 150),
    _task('detection/mask-rcnn_r18_coco-sample', 60),
]
