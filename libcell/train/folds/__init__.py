"""What is held out: which rows, in which part of one split or of each fold, and what leaks.

A model of several folds is a folder of models, each of which never saw its own fold; asked about
a row, the one that did not see its group answers, and about new rows all do, on average.
"""
