"""Settings of all tests: speed is measured in benchmarks, so no example fails for taking long on a busy machine."""

import os

from hypothesis import settings

settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("patient")
