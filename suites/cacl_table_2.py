"""CACL (AAAI 2022), Table 2: linear segmentation of Cityscapes.

What runs is found from the configs that name its cells.
    tools/suite.py suites/cacl_table_2.py --slurm PARTITION
"""

paper = 'CACL'
table = '2'
gpus = 'recipe'
starts = {'r50': 'checkpoints/mocov2_r50.pth'}
baselines = {
    'r50': {
        'file': 'checkpoints/mocov2_r50.pth',
        'model': 'R50 MoCo-v2',
        'variant': 'IN',
        'metric': ['mIoU', 'mAcc'],
        'start': 'imagenet',
        'also': [],
    }
}
