"""Long work in parts: a stream of keys, cut into partitions, each giving rows; on one machine by
default, on a Dask cluster where one is not enough.

`parity corpus` and `tagger tag --out` are both jobs of it (docs/scaling.md).
"""
