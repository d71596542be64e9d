"""The code that runs inside Triton; it imports neither torch nor Merlin unless raw items are sent.

python_backend -> worker -> side_by_side    Triton's tensors, one or two versions of a model
observing/     metrics, logs, what was shown
steps/         the two steps of the ensemble, and the tensors between them
reading/       from requests to rows, encoded new items and events
answering/     from rows to recommendations and explanations
options/       the options of a request, an object each
catalogue/     the versions of the catalogue
"""
