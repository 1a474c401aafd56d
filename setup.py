"""What pyproject.toml cannot say without an experimental key: the one file of C."""

from setuptools import Extension, setup

rows = Extension(
    'semcl_mm.datasets._png_rows',
    ['semcl_mm/datasets/_png_rows.c'],
    depends=['setup.py'],
    extra_compile_args=['-O3'],
    optional=True,  # an installation without a compiler works, and reads labels more slowly
)

setup(ext_modules=[rows])
