"""The verb `tune`: weights of the mixture, chosen on validation sessions.

samples      prefixes to choose on, with enough targets that are rare or new items
shortlists   the best items of each view, with the scores of all views
mixtures     the search for weights
newly_listed the weight of items that are listed after training
run          the verb, and the file of its choice
chosen       the weights that a run is served with
"""
