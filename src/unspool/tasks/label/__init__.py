"""Labels for sequences and for every step: classifiers and taggers."""
