#!/usr/bin/env bash
# Builds the wheel of python/ as the other tests are built, installs it as a user does, and runs the tests of it, of its types, of
# the samples in docs/ and of the examples in Python. Arguments go to pytest.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts

# The caller's own database and Vault have no business here.
for name in "${!PG@}" "${!VAULT_@}" "${!BAO_@}" TENANTRY_DATABASE_URL TENANTRY_SECRETS_DIR PYTHONPATH; do unset "$name"; done
bindir=$("$here/postgres.sh")
venv=$("$here/python_venv.sh")
export PATH=$venv/bin:$bindir:$PATH VIRTUAL_ENV=$venv PYTHONDONTWRITEBYTECODE=1
wheel=$("$here/wheel.sh" --profile dev)
pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"

cd -- "$root"
ruled=$root/python/pyproject.toml
mypy --config-file "$ruled" --cache-dir "${CARGO_TARGET_DIR:-$root/target}/mypy" python/tenantry python/tests examples/signup-fastapi
# Not from python/: there is the source of the package, without what is compiled.
(cd / && stubtest tenantry._tenantry --concise)
# What it says of Python's version is more than what the Python of the tests, and mypy of today, look for.
vermin --quiet --no-tips --eval-annotations --violations -t=3.9- python/tenantry
if [ "$#" = 0 ]; then set -- python/tests examples/signup-fastapi; fi
pytest --config-file "$ruled" --rootdir "$root" -p no:cacheprovider -n "${PYTEST_WORKERS:-2}" "$@"
