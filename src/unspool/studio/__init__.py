"""The studio: a local page that shows runs, plays with them and explains them."""
