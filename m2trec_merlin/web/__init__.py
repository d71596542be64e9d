"""A page in the browser on which sessions are tried: `m2trec try`."""
