"""Classifiers of crops: what is learnt, how the network is fed, how it is judged."""
