"""A page in the browser to try sessions on: `m2trec try`."""
