"""SemCL (ICCV 2023), Table 4: detection with Cascade Mask R-CNN.

What runs is found from the configs that name its cells.
    tools/suite.py suites/semcl_table_4.py --slurm PARTITION
"""

paper = 'SemCL'
table = '4'
gpus = 'recipe'
starts = {
    'r50': {'options': {'load_from': 'checkpoints/mocov3_r50_full.pth'}},
    'swin-t': 'checkpoints/swin_tiny_in22k.pth',
}
baselines = {
    'r50': {'file': 'checkpoints/mocov3_r50_full.pth', 'variant': 'MoCo v3 IN-1k'},
    'swin-t': {'file': 'checkpoints/swin_tiny_in22k.pth', 'variant': 'Swin IN-22k'},
}
