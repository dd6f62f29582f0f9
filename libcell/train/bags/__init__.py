"""Bags of instances (crops of one well, flask or time series): read, sampled, learnt, judged."""
