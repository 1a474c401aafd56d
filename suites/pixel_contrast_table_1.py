"""Cross-image pixel contrast (ICCV 2021), Table 1: intra- and inter-image contrast.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_1.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = '1'
gpus = 'recipe'
starts = {'hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth'}
