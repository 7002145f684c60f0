"""Data larger than memory, in partitions: a Parquet folder, or a Dask data frame.

Partition by partition they are reduced to what a model needs, and no row is kept.  Rows [y X Z] of one
level are replaced by the triangle R of their QR decomposition.  It has as many rows as columns, the
same cross-products, and, made by orthogonal transformations alone, loses no digits to cancellation;
two triangles stand on each other and are reduced again.  So a collapsed Gaussian model with at most
one grouping factor is fitted to a few rows per level, as if they were all.
"""

from __future__ import annotations

from mix2stan.partitions.compile import compile_given, of_likelihood

__all__ = ["compile_given", "of_likelihood"]
