"""The contract: what tables, stores, models and records look like.

`tables.py` and `stores.py` hold one typed model per thing; `arrow.py` turns a table's model into
an Arrow schema, `export.py` all of them into the committed JSON Schemas, and `validate.py`
judges a path (`python -m libcell.schema validate PATH`).
"""
