"""CACL (AAAI 2022), Table 1 (a, b, c): which heads, which views, which cycle.

What runs is found from the configs that name its cells.
    tools/suite.py suites/cacl_table_1.py --slurm PARTITION
"""

paper = 'CACL'
table = '1'
gpus = 'recipe'
starts = {'r50': 'checkpoints/mocov2_r50.pth'}
