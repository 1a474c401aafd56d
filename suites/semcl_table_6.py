"""SemCL (ICCV 2023), Table 6: depth.

What runs is found from the configs that name its cells.
    tools/suite.py suites/semcl_table_6.py --slurm PARTITION
"""

paper = 'SemCL'
table = '6'
gpus = 'recipe'
starts = {
    'r50': {'options': {'load_from': 'checkpoints/mocov3_r50_full.pth'}},
    'swin-t': 'checkpoints/swin_tiny_in22k.pth',
    'swin-l': 'checkpoints/swin_large_in22k.pth',
}
baselines = {
    'r50': {'file': 'checkpoints/mocov3_r50_full.pth', 'variant': 'MoCo v3 IN-1k'},
    'swin-t': {'file': 'checkpoints/swin_tiny_in22k.pth', 'variant': 'Swin IN-22k'},
    'swin-l': {'file': 'checkpoints/swin_large_in22k.pth', 'variant': 'Swin IN-22k'},
}
