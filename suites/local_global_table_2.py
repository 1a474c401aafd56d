"""Local-to-global ViT (2022), Table 2: depth of NYUv2.

What runs is found from the configs that name its cells.
    tools/suite.py suites/local_global_table_2.py --slurm PARTITION
"""

paper = 'L2G-ViT'
table = '2'
gpus = 'recipe'
