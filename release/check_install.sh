#!/bin/sh
# Install a wheel outside of this checkout and use it: with all dependencies in the versions that the wheel pins, from
# raw tables to an answer of Triton, the library, the page and a configuration for other tables; then the client alone.
#
# release/check_install.sh PYTHON UV WHEEL   each a path; all files created are removed
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
VIRTUAL_ENV=$place/all "$uv" pip install --quiet --override inside/m2trec_merlin/overrides.txt "$wheel[serve,web]"
say "installed with the overrides of the wheel"
all/bin/m2trec doctor -c tiny.yaml
say "looked at the machine"
all/bin/m2trec demo -c tiny.yaml
all/bin/m2trec runs
say "from raw tables to an answer of Triton"

all/bin/python - <<'EOF'
import m2trec_merlin as m2trec

recommender = m2trec.load("runs/tiny")
item = recommender.search("", 1)[0]
print("the library works:", recommender.recommend([item.item_id], top_k=3).item_ids)
EOF
say "the library, in process"

port=$(all/bin/python -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
all/bin/m2trec try runs/tiny --port "$port" &
page=$!
trap 'kill "$page" 2>/dev/null || true; rm -rf "$place"' EXIT
all/bin/python - "$port" <<'EOF'
import re
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

address = f"http://127.0.0.1:{sys.argv[1]}"
for attempt in range(120):
    try:
        page = urlopen(address).read().decode()
        break
    except URLError:
        time.sleep(0.5)
files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
assert files, page
print("the page works:", *(f"{name} {len(urlopen(address + name).read())} bytes" for name in files))
EOF
kill "$page"
say "the page"

all/bin/python - <<'EOF'
import random

random.seed(1)
with open("clicks.csv", "w") as clicks, open("products.csv", "w") as products:
    print("session;item;time", file=clicks)
    print("item;title;price", file=products)
    for item in range(60):
        print(f"{item};{random.choice(['red', 'blue'])} {random.choice(['hat', 'shoe'])} {item};{item},50", file=products)
    for session in range(300):
        for event in range(random.randint(2, 6)):
            print(f"s{session};{random.randrange(60)};{1700000000 + session * 600 + event * 20}", file=clicks)
EOF
all/bin/m2trec init clicks.csv products.csv
say "a configuration for two tables of one's own"

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
