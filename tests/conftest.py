import os

from hypothesis import settings

from ghostrouter.catalog.rows import providers

settings.register_profile("busy", deadline=None)  # a slow machine is no failure
settings.load_profile("busy")

# The keys of whoever runs the tests: with them models would appear, and could be called.
for _row in providers().values():
    for _name in (*_row.key_env, *_row.optional_key_env, *_row.base_url_env, *_row.appears_with, *_row.models_env):
        os.environ.pop(_name, None)
