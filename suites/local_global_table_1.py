"""Local-to-global ViT (2022), Table 1: segmentation of ADE20K.

What runs is found from the configs that name its cells.
    tools/suite.py suites/local_global_table_1.py --slurm PARTITION
"""

paper = 'L2G-ViT'
table = '1'
gpus = 'recipe'
