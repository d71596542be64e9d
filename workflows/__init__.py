"""The two NVTabular workflows: items to catalogue rows, interactions to sessions of rows.

Installed as `m2trec_merlin.workflows`; `python workflows/items.py` runs from a bare checkout, too.
"""

from m2trec_merlin.merlin_adapter import prepare_merlin

prepare_merlin()
