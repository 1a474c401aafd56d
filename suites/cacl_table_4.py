"""CACL (AAAI 2022), Table 4: with few labels.

What runs is found from the configs that name its cells.
    tools/suite.py suites/cacl_table_4.py --slurm PARTITION
"""

paper = 'CACL'
table = '4'
gpus = 'recipe'
seeds = [0, 1, 2]
