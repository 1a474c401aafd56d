"""CACL (AAAI 2022), Table 3: linear segmentation of VOC.

What runs is found from the configs that name its cells.
    tools/suite.py suites/cacl_table_3.py --slurm PARTITION
"""

paper = 'CACL'
table = '3'
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
