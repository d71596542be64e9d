#!/bin/sh
# Install a wheel where nothing of this checkout is, and use it: everything with the versions that the wheel carries,
# from raw tables to an answer of Triton; and the client alone.
#
# release/check_install.sh PYTHON UV WHEEL   each a path; what they leave is removed
set -eu
python=$1 uv=$2 wheel=$3
configuration=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/tiny.yaml
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp "$wheel" "$configuration" "$place"
cd "$place"
wheel=$place/$(basename "$wheel")

say() { echo "$(($(date +%s) - started)) s: $1"; }
started=$(date +%s)

"$python" -m venv all
"$python" -m zipfile -e "$wheel" inside
VIRTUAL_ENV=$place/all "$uv" pip install --quiet --override inside/m2trec_merlin/overrides.txt "$wheel[serve]"
say "installed with the overrides of the wheel"
all/bin/m2trec doctor -c tiny.yaml
say "looked at the machine"
all/bin/m2trec demo -c tiny.yaml
all/bin/m2trec runs
say "from raw tables to an answer of Triton"

"$python" -m venv client
VIRTUAL_ENV=$place/client "$uv" pip install --quiet --no-deps "$wheel"
VIRTUAL_ENV=$place/client "$uv" pip install --quiet 'tritonclient[grpc]>=2.46' 'numpy<2'
client/bin/python - <<'EOF'
from importlib.metadata import distributions

from m2trec_merlin.errors import NoAnswerError
from m2trec_merlin.serving.client import RecommendationClient

try:
    with RecommendationClient("127.0.0.1:1", timeout=5) as client:
        client.recommend(["4711"])
except NoAnswerError as error:
    print("the client works:", str(error).splitlines()[0])
print(sorted(found.metadata["Name"] for found in distributions()))
EOF
say "the client alone"
