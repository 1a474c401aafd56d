"""SemCL (ICCV 2023), Table 2: segmentation with UPerNet.

What runs is found from the configs that name its cells.
    tools/suite.py suites/semcl_table_2.py --slurm PARTITION
"""

paper = 'SemCL'
table = '2'
gpus = 'recipe'
starts = {
    'r50': {'options': {'load_from': 'checkpoints/mocov3_r50_full.pth'}},
    'r101': 'checkpoints/resnet101_a1h.pth',
    'swin-t': 'checkpoints/swin_tiny_in22k.pth',
    'swin-s': 'checkpoints/swin_small_in22k.pth',
    'swin-b': 'checkpoints/swin_base_in22k.pth',
}
baselines = {
    'r50': {'file': 'checkpoints/mocov3_r50_full.pth', 'variant': 'MoCo v3 IN-1k'},
    'r101': {'file': 'checkpoints/resnet101_a1h.pth', 'variant': 'timm IN-1k'},
    'swin-t': {'file': 'checkpoints/swin_tiny_in22k.pth', 'variant': 'Swin IN-22k'},
    'swin-s': {'file': 'checkpoints/swin_small_in22k.pth', 'variant': 'Swin IN-22k'},
    'swin-b': {'file': 'checkpoints/swin_base_in22k.pth', 'variant': 'Swin IN-22k'},
}
