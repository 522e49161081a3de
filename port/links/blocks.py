"""Cache-sized pieces of large arrays: a formula of many passes reads main memory once."""

BLOCK_ELEMENTS = 1 << 16  # 256 KiB of float32: block, result and temporary fit in a level 2 cache


def row_blocks(rows: int, columns: int) -> list[slice]:
    """Slices over `rows` rows of `columns` elements each, about BLOCK_ELEMENTS at a time."""
    step = max(1, BLOCK_ELEMENTS // max(1, columns))
    return [slice(start, start + step) for start in range(0, rows, step)]
