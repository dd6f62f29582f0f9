"""`python -m tests.cluster`: block-wise commands on a dask cluster, and what may befall one."""
