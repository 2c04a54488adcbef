"""How much of a file that somebody sent is read: every limit in one place.

`docs/limits.md` has them as a table, and a test compares the two.
"""

MAX_CONFIG_BYTES = 16 << 20  # config.json of a run: the largest have many labels
MAX_JSON_BYTES = 256 << 20  # a JSON file of a run: the largest is a vocabulary
MAX_TOML_BYTES = 1 << 20  # a file of options
MAX_UNPACKED_BYTES = 4 << 30  # a text compressed with gzip, unpacked
MAX_UNPACKED_RATIO = 100  # of a text compressed with gzip; texts have 2 to 20
UNPACKED_ANYWAY_BYTES = 64 << 20  # what a text compressed with gzip may have at any ratio
MAX_LAYERS = 1_000  # of a model
MAX_SIZE = 1 << 24  # of a layer, an embedding, a vocabulary
MAX_GLIMPSES = 1_000  # looks at an image
MAX_PICTURE_SIDE = 4_096  # pixels that a CNN takes
MAX_SAMPLE_TOKENS = 1_000_000  # of a sample at an evaluation
MAX_SAMPLE_BYTES = 8 << 20  # of the text of these tokens
MAX_FIELD_CHARS = 1 << 28  # one field of a table
MAX_ARRAY_BYTES = 4 << 30  # one array of an .npz or IDX file, unpacked
MAX_TAR_HEADER_BYTES = 1 << 20  # the long names and attributes of one member of a TAR
MAX_TOKENS = 1 << 21  # in a vocabulary of words or of BPE: about half a gigabyte
MAX_TOKEN = 1 << 16  # letters of one token of a vocabulary
MAX_XZ_BYTES = 128 << 20  # memory to unpack a TAR compressed with xz; xz -9 takes 65 MiB
MAX_PATTERN_CHARS = 1_000  # a regular expression of your own
PATTERN_SECONDS = 20  # what it may take on a text
MAX_PICTURE_BYTES = 256 << 20  # the file of one picture
MAX_PIXELS = 89_478_485  # of a picture: 8 bytes each; WebP, JPEG 2000 and AVIF get fewer
MAX_PICKLE_BYTES = 16 << 20  # the pickle of a PyTorch checkpoint: about 150 a tensor
MAX_PICKLE_STEPS = 1 << 20  # its opcodes: about 45 a tensor
MAX_ARRAY_HEADER_BYTES = 10_000  # the header of one array of an .npz file; real ones have 128
MAX_ZIP_DIRECTORY_BYTES = 4 << 20  # the directory of a ZIP archive: about 50,000 members
