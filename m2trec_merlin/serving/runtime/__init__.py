"""What runs inside Triton: imports neither torch nor Merlin where ids are known.

python_backend -> worker -> side_by_side    Triton's tensors, one or two versions of a model
observing/     metrics, logs, what was shown
steps/         the two steps of the ensemble, and what goes between them
reading/       what a request says: rows, encoded new items and events
answering/     from rows to recommendations, and why
options/       what a request may ask for, an object each
catalogue/     the items as they are now, version after version
"""
