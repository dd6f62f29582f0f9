"""Classifiers of tables: how trees are grown, kept and asked."""
