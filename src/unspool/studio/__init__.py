"""The studio: a local page to see runs, play with them and inspect them."""
