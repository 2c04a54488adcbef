"""All limits on untrusted files, in one place.

`docs/limits.md` has them as a table, and a test compares the two.
"""

MAX_CONFIG_BYTES = 16 << 20  # config.json of a run; the largest have many labels
MAX_JSON_BYTES = 256 << 20  # any other JSON file of a run; the largest is a vocabulary
MAX_TOML_BYTES = 1 << 20  # an options file
MAX_UNPACKED_BYTES = 4 << 30  # a gzip-compressed text, unpacked
MAX_UNPACKED_RATIO = 100  # ratio of a gzip-compressed text; ordinary texts have 2 to 20
UNPACKED_ANYWAY_BYTES = 64 << 20  # size below which any ratio is allowed
MAX_LAYERS = 1_000  # layers of a model
MAX_SIZE = 1 << 24  # size of a layer, an embedding or a vocabulary
MAX_GLIMPSES = 1_000  # glimpses of an image
MAX_PICTURE_SIDE = 4_096  # pixels a side that a CNN takes
MAX_SAMPLE_TOKENS = 1_000_000  # tokens of a sample at an evaluation
MAX_SAMPLE_BYTES = 8 << 20  # text of such a sample
MAX_FIELD_CHARS = 1 << 28  # one field of a table
MAX_ARRAY_BYTES = 4 << 30  # one array of an .npz or IDX file, unpacked
MAX_TAR_HEADER_BYTES = 1 << 20  # long names and attributes of one member of a TAR
MAX_TOKENS = 1 << 21  # tokens in a word or BPE vocabulary: about half a gigabyte
MAX_TOKEN = 1 << 16  # characters in one token of a vocabulary
MAX_XZ_BYTES = 128 << 20  # memory to unpack an xz-compressed TAR; xz -9 needs 65 MiB
MAX_PATTERN_CHARS = 1_000  # a regular expression of your own
PATTERN_SECONDS = 20  # time such an expression may take on a text
MAX_PICTURE_BYTES = 256 << 20  # the file of one picture
MAX_PIXELS = 89_478_485  # pixels of a picture, at 8 bytes each; fewer for WebP, JPEG 2000, AVIF
MAX_PICKLE_BYTES = 16 << 20  # the pickle of a PyTorch checkpoint: about 150 bytes per tensor
MAX_PICKLE_STEPS = 1 << 20  # its opcodes: about 45 per tensor
MAX_ARRAY_HEADER_BYTES = 10_000  # header of one array of an .npz file; normal ones have 128
MAX_ZIP_DIRECTORY_BYTES = 4 << 20  # directory of a ZIP archive: about 50,000 members
