"""Read the files of other libraries."""
