"""Says what is installed, whether it works, what clashes, and what to do about each.

``python -m semcl_mm.doctor [--json] [--work-dir work_dirs]`` ends with code 1 if something is
broken, else with 0 (warnings included).

It needs the standard library only. What is installed is read from metadata; the libraries are
imported by a child (:mod:`semcl_mm.doctor.probe`), so neither a missing nor a crashing one stops
the report. The version ranges that were tried are those of pyproject.toml.
"""
