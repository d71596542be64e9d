"""The verb `tune`: weights of the mixture, chosen on validation sessions.

samples      prefixes to choose on, with enough of them that lead to rare and to new items
shortlists   what each view says of the items that any of them has among its best
mixtures     the search for weights
newly_listed the weight of items that are listed after training
run          the verb, and what it keeps; chosen: which weights a run is served with
"""
