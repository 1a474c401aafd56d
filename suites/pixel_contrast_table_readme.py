"""Cross-image pixel contrast (ICCV 2021), Table README: the authors' code.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_readme.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = 'README'
gpus = 'recipe'
starts = {
    'deeplabv3-r101_cityscapes_authors-code': 'checkpoints/resnet101s_imagenet.pth',
    'deeplabv3-r101_cityscapes_authors-code_baseline': 'checkpoints/resnet101s_imagenet.pth',
    'hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth',
}
