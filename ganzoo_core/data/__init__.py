"""What `--data` can name, decoded once into memory-mapped arrays, and read in which order.

`inspect` looks at a source cheaply, `open_images` decodes it, `indices` says which images make up
which batch.
"""

from ganzoo_core.data.clips import ClipData
from ganzoo_core.data.compound import Domains, domains_of, joined_domains, named_data
from ganzoo_core.data.images import ImageData, inspect, open_clips, open_images
from ganzoo_core.data.order import indices
from ganzoo_core.data.source import DataInfo
from ganzoo_core.data.sources import SOURCES, scored_split

__all__ = [
    "SOURCES",
    "ClipData",
    "DataInfo",
    "Domains",
    "ImageData",
    "domains_of",
    "indices",
    "inspect",
    "joined_domains",
    "named_data",
    "open_clips",
    "open_images",
    "scored_split",
]
