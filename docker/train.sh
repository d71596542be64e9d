#!/bin/bash
# Everything up to a trained model, with one configuration file: docker/train.sh CONFIG
set -euo pipefail
config=$1

m2trec data --config "$config"
# The two NVTabular workflows by themselves; `m2trec preprocess` does the same.
python workflows/items.py --config "$config"
python workflows/sessions.py --config "$config"
m2trec train --config "$config"
