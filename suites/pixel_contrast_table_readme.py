"""Cross-image pixel contrast (ICCV 2021), Table README: the authors' code.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_readme.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = 'README'
gpus = 'recipe'
